"""Finished trainings as a picture of their costs needs them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from teachonce.engine.evalfile import read_kept, weights_digest
from teachonce.engine.runfile import read_result, read_run
from teachonce.errors import CorruptError, InputError, StoreMissingError
from teachonce.events import Events
from teachonce.models.macs import count_macs
from teachonce.models.students import load_student, student_digest


@dataclass(frozen=True, kw_only=True)
class Run:
    """A finished training."""

    folder: Path
    description: Mapping[str, Any]
    """Its run.json."""
    result: Mapping[str, Any]
    """Its result.json."""
    evaluation: Mapping[str, Any] | None = None
    """Its evaluation.json, which `evaluate` and `run` write; None where there is none of its weights."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What it was told."""
        settings: Mapping[str, Any] = self.description["settings"]
        return settings

    @property
    def begun(self) -> str:
        """When it was begun, as ISO 8601 has it: by its file, since a run.json is the same whenever it is made."""
        written = (self.folder / "run.json").stat().st_mtime
        return datetime.fromtimestamp(written, UTC).isoformat(timespec="seconds")

    @property
    def test_top1(self) -> float | None:
        """Share in [0, 1] of its evaluation; None where there is none."""
        return None if self.evaluation is None else float(self.evaluation["result"]["top1"])

    @property
    def test_rows(self) -> int | None:
        """Of its evaluation; None where it does not say."""
        return None if self.evaluation is None else self.evaluation["result"].get("rows")

    @property
    def val_rows(self) -> int:
        """That validated it."""
        return int(self.description["rows"]["val"])

    @property
    def test_data(self) -> str | None:
        """What tells the data of its evaluation from others."""
        return None if self.evaluation is None else json.dumps(self.evaluation["of"]["data"], sort_keys=True)

    @property
    def needs_teacher(self) -> bool:
        """Whether it had targets."""
        return bool(self.description["targets"] != "none")

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of a forward pass of one sample through its student."""
        if "macs" in self.description:
            return int(self.description["macs"])
        student = load_student(self.folder)  # of a version that did not write it down
        return count_macs(student, student.input)

    @cached_property
    def weights(self) -> str:
        """The digest of its best student, by which a target says which teacher made it."""
        return student_digest(self.folder)

    @property
    def samples_seen(self) -> int:
        """Of all epochs; the last, smaller batch of each was left out."""
        rows, size = int(self.description["rows"]["train"]), int(self.settings["batch_size"])
        return int(self.settings["epochs"]) * (rows - rows % size)

    @property
    def target(self) -> str | None:
        """The main target."""
        store = self.description["store"]
        return None if store is None or not self.needs_teacher else str(store["target"])

    @property
    def extras(self) -> dict[str, tuple[str, ...]]:
        """`rdm` and `assistants`: the targets beside the main one."""
        store = self.settings.get("store") or {}
        return {kind: _names(store.get(kind)) for kind in ("rdm", "assistants")}

    @property
    def group(self) -> str:
        """Equal for trainings that differ in nothing but the seed."""
        return json.dumps({key: value for key, value in self.settings.items() if key != "seed"}, sort_keys=True)


def _names(extras: Mapping[str, Any] | None) -> tuple[str, ...]:
    return tuple(str(extras["names"]).split(",")) if extras else ()


def comparable(runs: Iterable[Run]) -> Literal["test", "validation"]:
    """By which accuracies runs compare: those on test data where all have them, and of the same data."""
    known = list(runs)
    is_tested = all(run.test_top1 is not None for run in known)
    return "test" if is_tested and is_one_test(known) else "validation"


def is_one_test(runs: Iterable[Run]) -> bool:
    """Whether the test accuracies of runs, as far as they have any, are of the same data."""
    return len({run.test_data for run in runs if run.test_top1 is not None}) < 2


def read_runs(places: Sequence[Path], events: Events) -> list[Run]:
    """The finished runs in some folders, each a run or a folder with runs below it.

    Raises:
        InputError: No folder was given.
        StoreMissingError: A folder is not there, or none holds a finished run.
        CorruptError: A file of a run cannot be read.
    """
    if not places:
        raise InputError("no folder of runs was given", "Add --runs DIR")
    runs = []
    for folder in run_folders(places):
        try:
            description, result = read_run(folder), read_result(folder)
        except CorruptError as error:
            raise CorruptError(error.message, "Restore it from a copy, or leave the run out") from error
        if description is None or result is None:
            events.warn(f"{folder} is not finished, and left out")
            continue
        evaluation = _evaluation(folder, events)
        runs.append(Run(folder=folder, description=description, result=result, evaluation=evaluation))
    if not runs:
        raise nothing_finished(places)
    return runs


def nothing_finished(places: Sequence[Path]) -> StoreMissingError:
    """What to raise where some folders hold no finished run."""
    where = ", ".join(map(str, places))
    return StoreMissingError(f"there is no finished run in {where}", "Train some with `teachonce train`")


def run_folders(places: Sequence[Path]) -> list[Path]:
    """Every folder of a run in some places, each once, by name.

    Raises:
        StoreMissingError: A place is not there.
    """
    return sorted({folder for place in places for folder in _folders(place)})


def _folders(place: Path) -> Iterable[Path]:
    if not place.is_dir():
        raise StoreMissingError(f"there is no folder {place}", "Name a run of `teachonce train`, or a folder of runs")
    return [path.parent.resolve() for path in place.rglob("run.json")]


def _evaluation(folder: Path, events: Events) -> Mapping[str, Any] | None:
    """What `evaluate` found of the weights that are there now."""
    kept = read_kept(folder)
    if kept is None:
        return None
    digest = weights_digest(folder)
    if digest is None:
        events.warn(f"{folder} has no weights any more, so its evaluation is left out")
    return kept if kept["of"]["weights"] == digest else None

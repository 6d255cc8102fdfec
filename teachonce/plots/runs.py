"""Finished runs, as read from their folders."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Literal

from teachonce.engine.evalfile import read_kept, weights_digest
from teachonce.engine.records import DataContent, Evaluation, RunRecord, Settings, TrainResult
from teachonce.engine.runfile import read_result, read_run
from teachonce.errors import CorruptError, InputError, StoreMissingError
from teachonce.events import Events
from teachonce.models.macs import count_macs
from teachonce.models.students import load_student, student_digest


@dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run."""

    folder: Path
    record: RunRecord
    result: TrainResult
    evaluation: Evaluation | None = None
    """Written by `evaluate` and `run`; None if there is none of its weights."""

    @property
    def settings(self) -> Settings:
        """Its settings."""
        return self.record.settings

    @property
    def begun(self) -> str:
        """When it began, in ISO 8601: the time of the file, because run.json itself has no time."""
        written = (self.folder / "run.json").stat().st_mtime
        return datetime.fromtimestamp(written, UTC).isoformat(timespec="seconds")

    @property
    def test_top1(self) -> float | None:
        """In [0, 1], of its evaluation; None without one."""
        return None if self.evaluation is None else self.evaluation.result.top1

    def top1(self, which: str) -> float | None:
        """In [0, 1], on `test` or `validation` data; None without one."""
        return self.test_top1 if which == "test" else self.result.val_top1

    @property
    def test_rows(self) -> int | None:
        """Of its evaluation."""
        return None if self.evaluation is None else self.evaluation.result.rows

    @property
    def val_rows(self) -> int:
        """The number of validation rows."""
        return self.record.rows.val

    @property
    def test_data(self) -> DataContent | None:
        """The data of its evaluation."""
        return None if self.evaluation is None else self.evaluation.of.data

    @property
    def needs_teacher(self) -> bool:
        """Whether it had targets."""
        return self.record.targets != "none"

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of a forward pass of one sample through its student."""
        if self.record.macs is not None:
            return self.record.macs
        student = load_student(self.folder)  # written by a version that did not record it
        return count_macs(student, student.input)

    @cached_property
    def weights(self) -> str:
        """The digest of its best student, which identifies it as the teacher of a target."""
        return student_digest(self.folder)

    @property
    def samples_seen(self) -> int:
        """Of all epochs; the last, incomplete batch of each is dropped."""
        rows = self.record.rows.train
        return self.settings.epochs * (rows - rows % self.settings.batch_size)

    @property
    def target(self) -> str | None:
        """The main target."""
        return self.record.store.target if self.record.store and self.needs_teacher else None

    @property
    def extras(self) -> dict[str, tuple[str, ...]]:
        """`rdm` and `assistants`: the additional targets."""
        store = self.settings.store
        found = {"rdm": store and store.rdm, "assistants": store and store.assistants}
        return {kind: extras.each if extras else () for kind, extras in found.items()}


def comparable(runs: Iterable[Run]) -> Literal["test", "validation"]:
    """Which accuracies are comparable: test if all runs were tested on the same data, else validation."""
    known = list(runs)
    is_tested = all(run.test_top1 is not None for run in known)
    return "test" if is_tested and is_one_test(known) else "validation"


def is_one_test(runs: Iterable[Run]) -> bool:
    """Whether all test accuracies are of the same data."""
    return len({run.test_data for run in runs if run.test_top1 is not None}) < 2


def read_runs(places: Sequence[Path], events: Events) -> list[Run]:
    """The finished runs in some folders, each a run or a folder that contains runs.

    Raises:
        InputError: No folder was given.
        StoreMissingError: A folder does not exist, or none contains a finished run.
        CorruptError: A file of a run cannot be read.
    """
    if not places:
        raise InputError("no folder of runs was given", "Add --runs DIR")
    runs = []
    for folder in run_folders(places):
        try:
            record, result = read_run(folder), read_result(folder)
        except CorruptError as error:
            raise CorruptError(error.message, "Restore it from a copy, or leave the run out") from error
        if not isinstance(record, RunRecord) or result is None:
            events.warn(f"{folder} is not finished, and left out")
            continue
        evaluation = _evaluation(folder, events)
        runs.append(Run(folder=folder, record=record, result=result, evaluation=evaluation))
    if not runs:
        raise nothing_finished(places)
    return runs


def nothing_finished(places: Sequence[Path]) -> StoreMissingError:
    """The error for folders without a finished run."""
    where = ", ".join(map(str, places))
    return StoreMissingError(f"there is no finished run in {where}", "Train some with `teachonce train`")


def run_folders(places: Sequence[Path]) -> list[Path]:
    """The folders of all runs in some places, without duplicates, sorted.

    Raises:
        StoreMissingError: A place does not exist.
    """
    return sorted({folder for place in places for folder in _folders(place)})


def _folders(place: Path) -> Iterable[Path]:
    if not place.is_dir():
        raise StoreMissingError(f"there is no folder {place}", "Name a run of `teachonce train`, or a folder of runs")
    return [path.parent.resolve() for path in place.rglob("run.json")]


def _evaluation(folder: Path, events: Events) -> Evaluation | None:
    """The evaluation of the current weights."""
    kept = read_kept(folder)
    if kept is None:
        return None
    digest = weights_digest(folder)
    if digest is None:
        events.warn(f"{folder} has no weights any more, so its evaluation is left out")
    return kept if kept.of.weights == digest else None

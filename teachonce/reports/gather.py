"""Reads the inputs of a report: finished runs, stores, and the JSON files of benchmarks."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from teachonce.benchmarks.estimate.records import Estimate
from teachonce.benchmarks.live.records import CaseResult, Frame, SweepResult, live_result
from teachonce.benchmarks.origin import Origin
from teachonce.benchmarks.parts import EmbedBench, MacsBench, RdmBench, StepBench
from teachonce.cache.store import Store, open_store
from teachonce.errors import InputError, StoreMissingError, TeachonceError
from teachonce.events import Events
from teachonce.fsio import read_json
from teachonce.plots.curves import METRICS, read_metrics
from teachonce.plots.runs import Run, nothing_finished, read_runs, run_folders
from teachonce.records import parse

_KINDS = {kind.kind: kind for kind in (Estimate, MacsBench, StepBench, EmbedBench, RdmBench)}
"""What a report shows beside the results of `bench live`."""
Result = TypeVar("Result", bound=Origin)
_MEND = "Measure it again, restore it from a copy, or leave it out"
_TRIAL = re.compile(r"trial-\d{4,}")
_EXPECTED = (
    "a run or a folder of runs, a store, or the JSON of `teachonce bench live`, `teachonce estimate` or "
    "`scripts/bench.py`"
)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A benchmark's result."""

    result: Origin
    path: Path


@dataclass(frozen=True, kw_only=True)
class Material:
    """The inputs of a report."""

    runs: tuple[Run, ...] = ()
    trials: int = 0
    """The number of runs of hyperparameter searches, which are left out."""
    stores: tuple[Store, ...] = ()
    """Those that were given, then those that the runs name, if they exist."""
    teachers: tuple[Run, ...] = ()
    """Runs whose student is the teacher of other runs or of targets in the stores."""
    benches: tuple[Bench, ...] = ()

    def of(self, kind: type[Result]) -> list[Result]:
        """The results of a kind."""
        return [bench.result for bench in self.benches if isinstance(bench.result, kind)]

    @property
    def live(self) -> list[CaseResult | SweepResult]:
        """Those of `bench live`."""
        return [bench.result for bench in self.benches if isinstance(bench.result, CaseResult | SweepResult)]

    def store_of(self, run: Run) -> Store | None:
        """The store whose rows a run used; None if it used none, or the store was not found.

        Of several stores with these rows it is the one whose target the run read.
        """
        found = [store for store in self.stores if _has_rows(store, run)]
        return next((store for store in found if has_target(store, run)), found[0] if found else None)


def gather(places: Sequence[Path], *, store: Path | None, events: Events) -> Material:
    """Read some files and folders.

    Args:
        places: Each a run, a folder with runs below it, a store, or a JSON file of a benchmark.
        store: Replaces the stores that the runs name; None: those.
        events: Receives a warning for everything that is left out.

    Raises:
        InputError: No place, or one that is none of these.
        StoreMissingError: A place does not exist, or a folder has no finished run.
        CorruptError: A file cannot be read.
    """
    if not places and store is None:
        raise InputError("nothing was given to report", f"Name {_EXPECTED}")
    places = _each_once(places)
    for place in places:
        if not place.exists():
            raise StoreMissingError(f"there is nothing at {place}", f"Name {_EXPECTED}")
    files = [place for place in places if not place.is_dir()]
    stores = [place for place in places if (place / "zarr.json").exists()]
    folders = [place for place in places if place not in files and place not in stores]
    benches = tuple(map(read_bench, files))
    all_runs = run_folders(folders)
    own_runs = [folder for folder in all_runs if not _TRIAL.fullmatch(folder.name)]
    if folders and not own_runs:
        raise nothing_finished(folders)
    runs = tuple(read_runs(own_runs, events)) if own_runs else ()
    for run in runs:
        if not read_metrics(run.folder):
            events.warn(f"{run.folder} has no epochs in a {METRICS}: its curves are left out")
    named = [open_store(place) for place in _each_once([*stores, *([] if store is None else [store])])]
    own = [] if store is not None else list(_stores_of(runs, named, events))
    every = (*named, *own)
    trials, teachers = len(all_runs) - len(own_runs), tuple(_teachers(runs, every))
    return Material(runs=runs, trials=trials, stores=every, teachers=teachers, benches=benches)


def _teachers(runs: Sequence[Run], stores: Sequence[Store]) -> Iterator[Run]:
    """The runs whose weights made a target of the stores, or were the live teacher of a run."""
    records = (record for store in stores for record in store.targets().values())
    digests = {record.fingerprint_fields.get("teacher", {}).get("weights") for record in records}
    digests |= {run.record.teacher.weights for run in runs if run.record.teacher}
    for run in runs if digests - {None} else ():
        with suppress(TeachonceError, OSError):  # its weights cannot be read
            if run.weights in digests:
                yield run


def _has_rows(store: Store, run: Run) -> bool:
    known = run.settings.store
    return bool(store.samples_seal.get("journal") == (known.samples if known else None))


def has_target(store: Store, run: Run) -> bool:
    """Whether a store has the target that a run read; True for a run that read none."""
    known = run.settings.store.target if run.settings.store else None
    if run.target is None or known is None:
        return True
    try:
        return store.sealed(run.target).fingerprint == known
    except TeachonceError:
        return False


def _each_once(places: Sequence[Path]) -> list[Path]:
    """Without duplicates, which may be written in other ways; in order of first occurrence."""
    each: dict[Path, Path] = {}
    for place in places:
        each.setdefault(place.resolve(), place)
    return list(each.values())


def read_bench(path: Path) -> Bench:
    """The result of a benchmark.

    Raises:
        CorruptError: It is not JSON.
        InputError: It is not a result that a report shows, or of another format.
    """
    return Bench(result=bench_result(read_json(path, mend=f"Expected {_EXPECTED}"), str(path)), path=path)


def bench_result(value: object, name: str) -> Origin:
    """The result in a JSON value, which is called `name`; see `read_bench`."""
    kind = f"teachonce.{str(value.get('kind', '')).removeprefix('teachonce.')}" if isinstance(value, dict) else ""
    if not isinstance(value, dict) or kind not in (Frame.kind, *_KINDS):
        raise InputError(f"{name} is not a result that a report shows", f"Name {_EXPECTED}")
    if value.get("format", Origin.format) != Origin.format:
        message = f"{name} is of another version: expected format {Origin.format}, got {value['format']!r}"
        raise InputError(message, "Measure it again with this version of teachonce")
    if kind == Frame.kind:
        return live_result(value, name, mend=_MEND)
    return parse(_KINDS[kind], value, name, mend=_MEND)


def _stores_of(runs: Sequence[Run], known: Sequence[Store], events: Events) -> Iterator[Store]:
    """The stores that runs name, each once, if they exist and have the same rows."""
    found, tried = list(known), set[tuple[str, str]]()
    for run in runs:
        content, place = run.settings.store, run.record.store
        if content is None or place is None or any(_has_rows(store, run) and has_target(store, run) for store in found):
            continue
        samples, path = content.samples, Path(place.path)
        there = [store for store in _at(path, run.folder) if _has_rows(store, run)]
        there = [store for store in there if has_target(store, run)] or there
        if there and not any(store.path.resolve() == there[0].path.resolve() for store in found):
            found.append(there[0])
            yield there[0]
        elif not there and not any(_has_rows(store, run) for store in found) and (samples, str(path)) not in tried:
            tried.add((samples, str(path)))
            events.warn(f"the store of {run.folder} is not at {path}: give it with --store to include it")


def _at(path: Path, run: Path) -> Iterator[Store]:
    """Stores at that path, relative to the working folder and to each folder above the run."""
    for base in (Path(), *run.parents):
        try:
            yield open_store(base / path)
        except TeachonceError:
            continue

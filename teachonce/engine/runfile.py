"""run.json: everything a run was made from. The same settings go on or are reused; others are refused."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from teachonce.cache.identity import first_difference, short
from teachonce.engine.records import RdmRun, RunRecord, Settings, TrainResult
from teachonce.engine.versions import versions_of
from teachonce.errors import BusyError, CorruptError, InputError, MismatchError
from teachonce.fsio import TEMPORARY, disk_errors, make_folder, read_json
from teachonce.options.identity import with_defaults
from teachonce.options.train import TrainOptions
from teachonce.records import parse, read, to_json

RUN, RESULT = "run.json", "result.json"
_ANEW = "Choose another --out, or remove this folder to train again"


def check_folder(run: Path) -> None:
    """Refuse a folder that holds something else than a run.

    Raises:
        InputError: It is a file, or not empty and no run.
    """
    if run.exists() and not run.is_dir():
        raise InputError(f"{run} is a file", "Choose another --out")
    if run.is_dir() and not (run / RUN).exists():
        foreign = next((path.name for path in sorted(run.iterdir()) if not path.name.startswith(TEMPORARY)), None)
        if foreign is not None:
            raise InputError(f"{run} is not empty and not a run: it has {foreign}", "Choose another --out")


def read_run(run: Path) -> RunRecord | RdmRun | None:
    """The run.json of a folder; None where there is none.

    Raises:
        CorruptError: It is no run of this format, or damaged.
    """
    try:
        value = read_json(run / RUN, mend=_ANEW)
    except FileNotFoundError:
        return None
    if not isinstance(value, dict) or (value.get("format"), value.get("kind")) != (RdmRun.format, RdmRun.kind):
        raise CorruptError(f"{run / RUN} is not from a run of this version of teachonce", _ANEW)
    kind: type[RunRecord | RdmRun] = RdmRun if "rdms" in value else RunRecord
    return parse(kind, value, str(run), mend=_ANEW, within=RUN)


def read_result(run: Path) -> TrainResult | None:
    """The result of a finished run; None before.

    Raises:
        CorruptError: It cannot be read, or is damaged.
    """
    try:
        return read(TrainResult, run / RESULT, mend=_ANEW)
    except FileNotFoundError:
        return None


@contextmanager
def owned(run: Path, mend: str = "Wait for it, or choose another --out") -> Iterator[None]:
    """Hold a run's folder, so that no second process trains in it; what a killed one left over is removed.

    Raises:
        BusyError: Another process holds it.
        DiskError: It cannot be made.
    """
    make_folder(run)
    with disk_errors(run):
        folder = os.open(run, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)  # on the folder itself: no file is left behind
        except BlockingIOError:
            raise BusyError(f"another process is training in {run}", mend) from None
        except OSError:
            pass  # a file system without locks
        _clear(run)
        yield
    finally:
        os.close(folder)


def _clear(run: Path) -> None:
    """Remove the temporary files and folders of a killed process."""
    for path in (*run.glob(f"{TEMPORARY}*"), *run.glob(f"checkpoints/{TEMPORARY}*")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def refuse_others(run: Path, known: RunRecord | RdmRun, settings: Settings) -> RunRecord:
    """Compare the settings of a run with those asked for.

    Returns:
        What is known of it.

    Raises:
        MismatchError: Names the first that differs.
    """
    recorded = known.settings if isinstance(known, RdmRun) else to_json(known.settings)
    found = first_difference(with_defaults(TrainOptions, recorded), to_json(settings), dotted=True)
    if isinstance(known, RunRecord) and found is None:
        return known
    name, old, new = found or ("rdms", None, None)
    raise MismatchError(f"{run} was trained with {name} {short(old)}, got {short(new)}", _ANEW)


def versions() -> dict[str, str]:
    """The versions that a run is recorded with."""
    return versions_of("teachonce", "torch", "transformers", "safetensors", "numpy")

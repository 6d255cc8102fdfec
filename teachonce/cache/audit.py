"""A whole store looked through: everything that is wrong, not the first thing only."""

from collections.abc import Collection, Iterator
from pathlib import Path

from teachonce.cache.create import documents
from teachonce.cache.documents import DOCUMENT
from teachonce.cache.layout import SAMPLES, is_name
from teachonce.cache.problems import Problem, problem_of
from teachonce.cache.store import Store, read_store
from teachonce.cache.targets import read_target
from teachonce.cache.verify import Checked, check_documents, check_journal, check_target
from teachonce.errors import CorruptError, MismatchError, StoreError, StoreMissingError, UnsealedError
from teachonce.events import SILENT, Events


def find_problems(
    path: str | Path,
    *,
    names: Collection[str] | None = None,
    checked: Checked | None = None,
    events: Events = SILENT,
    zeros: bool = True,
) -> Iterator[Problem]:
    """Everything in a store that is not as it was committed or sealed; no file is changed.

    Args:
        path: The store.
        names: Only these targets, beside the samples; None: all.
        checked: Is told what was looked at.
        events: Who watches.
        zeros: Whether a row of zeros, of a sample that did not fail, is a problem.

    Raises:
        StoreMissingError: There is no store.
        MismatchError: It is of another format.
    """
    path, checked = Path(path), Checked() if checked is None else checked
    try:
        store = read_store(path)
    except CorruptError as error:
        yield problem_of(error, path, path / DOCUMENT, "document", None)
        return
    except StoreMissingError as error:
        if not (path / "journal" / SAMPLES).is_dir():
            raise
        yield problem_of(error, path, path / DOCUMENT, "missing", None)
        return
    seal: dict[str, object] = {}
    try:
        seal = store.samples_seal
    except StoreError as error:
        yield problem_of(error, path, path / SAMPLES / DOCUMENT, "seal")
    else:
        if not seal:
            yield _unsealed(store, SAMPLES, f"{SAMPLES}/{DOCUMENT}", "the samples are not sealed")
    nodes = documents(store.spec) | {"": None, SAMPLES: None}
    yield from check_documents(path, nodes, checked, SAMPLES)
    yield from check_journal(store.journal, seal, checked, events)
    journal = seal.get("journal")
    for name in _names(path) if names is None else names:
        yield from _target(store, name, journal if isinstance(journal, str) else None, checked, events, zeros=zeros)


def _target(
    store: Store, name: str, samples: str | None, checked: Checked, events: Events, *, zeros: bool
) -> Iterator[Problem]:
    root, spec = store.path, store.spec
    place = root / "targets" / name / DOCUMENT
    try:
        record = read_target(root, name, rows=spec.rows, block_rows=spec.block_rows, samples=samples)
    except MismatchError as error:
        yield problem_of(error, root, place, "samples", name)
    except StoreError as error:
        yield problem_of(error, root, place, "document" if place.is_file() else "missing", name)
    else:
        if not record.sealed:
            text = f"target {name!r} is not sealed: {record.blocks_done} of {record.blocks} blocks are done"
            yield _unsealed(store, name, f"targets/{name}/{DOCUMENT}", text)
        yield from check_target(record, checked, events, zeros=zeros)


def _unsealed(store: Store, name: str, file: str, text: str) -> Problem:
    error = UnsealedError(f"{store.path}: {text}", "Run the command that began it again: it resumes")
    return Problem(kind="unsealed", target=name, block=None, file=file, error=error)


def _names(root: Path) -> list[str]:
    """The targets of which anything is there: some may have lost their document."""
    folders = [folder for place in ("targets", "journal") for folder in (root / place).glob("*") if folder.is_dir()]
    return sorted({folder.name for folder in folders if is_name(folder.name) and folder.name != SAMPLES})

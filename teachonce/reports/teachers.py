"""Teachers as references of their students: the runs that trained them, and their accuracy if it was recorded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from teachonce.cache.store import Store
from teachonce.cache.targets import TargetRecord
from teachonce.engine.rdm.stored import KIND
from teachonce.engine.stage_one.score import teacher_top1
from teachonce.errors import TeachonceError
from teachonce.plots.runs import Run
from teachonce.reports.gather import Material, has_target

_MOST_BYTES = 1 << 29  # of stored logits that are read for one number


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A teacher of some students."""

    name: str
    run: Run | None
    """The run that trained it, if it is part of the report."""
    store: Store | None = None
    target: str = ""
    """Of the store."""


def references(runs: Sequence[Run], material: Material) -> list[Reference]:
    """The teachers of some runs, each once."""
    trained = {run.weights: run for run in material.teachers}
    found: dict[str, Reference] = {}
    for run in runs:
        for digest, name, record in _teachers_of(run, material):
            store = None if record is None else material.store_of(run)
            target = "" if record is None else record.name
            found.setdefault(digest, Reference(name=name, run=trained.get(digest), store=store, target=target))
    return list(found.values())


def _teachers_of(run: Run, material: Material) -> Iterator[tuple[str, str, TargetRecord | None]]:
    """Digest and name of a run's teacher, and the target if one was read."""
    live = run.record.teacher
    if live:
        yield live.weights, run.settings.teacher or "live", None
        return
    store = material.store_of(run)
    if store is None or run.target is None or not has_target(store, run):
        return
    try:
        record = store.sealed(run.target)
        if record.kind == KIND:
            record = store.sealed(record.fingerprint_fields["parent"]["name"])
    except TeachonceError:
        return
    digest = record.fingerprint_fields.get("teacher", {}).get("weights")
    if digest:
        yield str(digest), str(record.attributes.get("teacher", record.name)), record


def stored_top1(reference: Reference) -> tuple[float, int] | None:
    """A teacher's top-1 by its stored logits, on the labelled rows of the store, and their number.

    None without logits or labels, if its classes are not those of the data, or if the logits are too large to read.
    """
    store, name = reference.store, reference.target
    if store is None:
        return None
    try:
        record, labels = store.sealed(name), store.labels()
        spec = record.arrays.get("logits")
        names = store.spec.data.get("class_names")
        classes = len(names) if names else int(labels.max()) + 1
        own = record.attributes.get("class_names") or names
        if spec is None or spec.shape[-1] != classes or own != names or store.spec.views_spec.get("augment"):
            return None
        return teacher_top1(store, name, labels) if 4 * store.spec.rows * classes < _MOST_BYTES else None
    except TeachonceError:
        return None

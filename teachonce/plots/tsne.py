"""t-SNE maps of targets (CIFD, Saidutta et al., NeurIPS 2024, Fig. 9), as data: of the same rows for each target."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.dtypes import from_stored
from teachonce.cache.store import Store
from teachonce.engine.cached_target import has_targets
from teachonce.engine.rdm.stored import KIND, is_of
from teachonce.errors import DataError, InputError, MismatchError
from teachonce.events import SILENT, Events
from teachonce.types import DECODED

Embedder = Callable[[NDArray[np.int64]], NDArray[np.float32]]
"""Rows of the store (n,) -> their embeddings (n, D)."""
LEAST = 10
"""The minimum of rows."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The map of one target."""

    target: str
    array: str
    """The array: `image_embedding`, or `logits` for a target without embeddings."""
    width: int
    """Of that array."""
    xy: NDArray[np.float32]
    """(n, 2), rotated and mirrored to match the first panel."""
    distinct: int
    """The number of distinct rows: equal ones, as of an RDM at a low rate, are one point."""
    kl: float
    """The final KL divergence of t-SNE."""


@dataclass(frozen=True, kw_only=True)
class Maps:
    """Maps of the same rows."""

    rows: NDArray[np.int64]
    """(n,) ascending."""
    labels: NDArray[np.int32]
    """(n,), -1 where there is none."""
    class_names: dict[int, str]
    """Of the classes that are shown."""
    panels: tuple[Panel, ...]


def tsne(
    store: Store,
    targets: Sequence[str],
    *,
    rows: int = 1000,
    classes: int = 10,
    perplexity: float = 30.0,
    seed: int = 0,
    others: Mapping[str, Embedder] | None = None,
    events: Events = SILENT,
) -> Maps:
    """Map view 0 of a seeded choice of rows of each target to the plane (van der Maaten & Hinton 2008).

    Args:
        store: The store.
        targets: Their names, in the order of the panels.
        rows: How many rows at most; rows that failed in one of the targets are left out.
        classes: Of labelled data: the number of classes, the first ones that have rows.
        perplexity: Of t-SNE; limited to a third of the rows.
        seed: Of the choice and of t-SNE.
        others: Name -> further embeddings of the same rows, such as students'.
        events: Receives progress; a unit is a panel.

    Raises:
        InputError: No target, one twice, or numbers that cannot be used.
        StoreMissingError: No such target.
        UnsealedError: One is not finished.
        MismatchError: An RDM was trained on another target than the one of that name.
        DataError: Too few rows are left.
    """
    _check(targets, rows, classes, perplexity)
    _check_parents(store, targets)
    labels = store.labels()
    chosen = _choose(store, targets, labels, rows, classes, seed)
    panels: list[Panel] = []
    sources = [_stored(store, name) for name in targets]
    sources += [(name, "image_embedding", embed) for name, embed in (others or {}).items()]
    with events.task(f"map {len(chosen)} rows", total=len(sources), unit="targets") as task:
        for name, array, embed in sources:
            task.note(name)
            panel = _panel(name, array, embed(chosen), perplexity, seed)
            panels.append(_aligned(panel, panels[0]) if panels else panel)
            task.advance()
    return Maps(
        rows=chosen, labels=labels[chosen], class_names=_class_names(store, labels[chosen]), panels=tuple(panels)
    )


def _check(targets: Sequence[str], rows: int, classes: int, perplexity: float) -> None:
    if not targets or len(set(targets)) < len(targets):
        raise InputError(f"expected targets, each once, got {', '.join(targets) or 'none'}", "Correct --targets")
    if rows < LEAST or classes < 1 or not perplexity > 0:
        got = f"{rows} rows, {classes} classes, perplexity {perplexity:g}"
        raise InputError(f"expected at least {LEAST} rows, 1 class and a perplexity above 0, got {got}", "Correct them")


def _check_parents(store: Store, targets: Sequence[str]) -> None:
    """Refuse an RDM that was trained on another target than the current one of that name."""
    for record in filter(lambda record: record.kind == KIND, map(store.sealed, targets)):
        parent = record.fingerprint_fields["parent"]["name"]
        if parent in targets and not is_of(record, store.sealed(parent)):
            message = f"{record.name} was trained on another target {parent!r} than the current one"
            raise MismatchError(message, "Leave it out, or remove it and train it again with `teachonce rdm`")


def _choose(
    store: Store, targets: Sequence[str], labels: NDArray[np.int32], rows: int, classes: int, seed: int
) -> NDArray[np.int64]:
    usable = store.sample_status() == DECODED
    for name in targets:
        usable &= has_targets(store, name)
    if (labels[usable] >= 0).any():
        shown = np.unique(labels[usable & (labels >= 0)])[:classes]
        usable &= np.isin(labels, shown)
    candidates = np.flatnonzero(usable)
    if len(candidates) < LEAST:
        message = f"{store.path} has {len(candidates)} rows of these classes in all of these targets"
        raise DataError(f"{message}, and a map needs {LEAST}", "Choose other targets, or more classes")
    order = np.random.default_rng(seed).permutation(candidates)
    return np.sort(order[:rows])


def _stored(store: Store, name: str) -> tuple[str, str, Embedder]:
    """A target, its array, and how its rows are read."""
    record = store.sealed(name)
    array = "image_embedding" if "image_embedding" in record.arrays else "logits"
    reader, dtype = store.target(name, budget_bytes=0), record.arrays[array].dtype
    return name, array, lambda rows: from_stored(reader.read(array, rows), dtype)


def _panel(name: str, array: str, values: NDArray[np.float32], perplexity: float, seed: int) -> Panel:
    distinct, point = np.unique(values, axis=0, return_inverse=True)
    if len(distinct) == len(values):
        distinct, point = values, np.arange(len(values))
    xy, kl = _map(distinct, min(perplexity, max(1.0, (len(distinct) - 1) / 3)), seed)
    return Panel(target=name, array=array, width=values.shape[1], xy=xy[point], distinct=len(distinct), kl=kl)


def _map(values: NDArray[np.float32], perplexity: float, seed: int) -> tuple[NDArray[np.float32], float]:
    """Rows that all differ (n, D) in the plane, and the KL divergence; equal rows would repel each other."""
    from sklearn.manifold import TSNE

    if len(values) == 1:
        return np.zeros((1, 2), np.float32), 0.0
    mapper = TSNE(perplexity=perplexity, init="pca" if min(values.shape) > 1 else "random", random_state=seed, n_jobs=1)
    return mapper.fit_transform(values), float(mapper.kl_divergence_)


def _aligned(panel: Panel, first: Panel) -> Panel:
    """The map rotated and mirrored to match the first one (orthogonal Procrustes): t-SNE does not fix either."""
    ours, theirs = (xy - xy.mean(axis=0) for xy in (panel.xy, first.xy))
    left, _, right = np.linalg.svd(ours.T @ theirs)
    return replace(panel, xy=(ours @ (left @ right)).astype(np.float32))


def _class_names(store: Store, labels: NDArray[np.int32]) -> dict[int, str]:
    names = store.spec.data.get("class_names")
    shown = np.unique(labels[labels >= 0]).tolist()
    return {label: str(names[label]) if names and label < len(names) else f"class {label}" for label in shown}

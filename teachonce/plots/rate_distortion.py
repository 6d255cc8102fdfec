"""The rate-distortion curve of a store's RDMs (CIFD, Saidutta et al., NeurIPS 2024, Fig. 5), as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from teachonce.cache.dtypes import from_stored
from teachonce.cache.store import Store
from teachonce.cache.targets import TargetRecord
from teachonce.engine.cached import has_targets
from teachonce.engine.split import split_rows
from teachonce.errors import StoreMissingError
from teachonce.types import DECODED

KIND = "rdm"


@dataclass(frozen=True, kw_only=True)
class RdmPoint:
    """One RDM in use, that is with its bottleneck rounded, on its validation rows."""

    target: str
    distortion_weight: float
    """R of the paper."""
    bits: float
    """Rate, in bits a sample."""
    top1: float | None
    """Share in [0, 1]; None without labels."""
    distortion: float | None
    """As its training measured it; None without a reconstruction (the cnn preset)."""
    best_epoch: int
    epochs: tuple[int, ...]
    bits_by_epoch: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class RdmCurve:
    """The RDMs of one target that were trained alike but for R, by R."""

    parent: str
    preset: str
    distortion_kind: str | None
    """Such as `mse, sum`; None without a reconstruction."""
    parent_top1: float | None
    """The parent's own, on the same rows; None where it has no logits, or the rows no labels."""
    points: tuple[RdmPoint, ...]


def rate_distortion(store: Store) -> list[RdmCurve]:
    """The curves of all sealed RDM targets of a store; several where they differ in more than R.

    Raises:
        StoreMissingError: There is none.
        CorruptError: A chunk of the parent's logits is damaged.
    """
    records = [record for record in store.targets().values() if record.kind == KIND and record.sealed]
    if not records:
        mend = f"Train some: `teachonce rdm --store {store.path} --distortion-weight 10000,5000,1000`"
        raise StoreMissingError(f"{store.path} has no finished RDM targets", mend)
    groups: dict[str, list[TargetRecord]] = {}
    for record in records:
        groups.setdefault(_family(record), []).append(record)
    return [_curve(store, group) for _, group in sorted(groups.items())]


def _family(record: TargetRecord) -> str:
    """What the RDMs of one curve have in common."""
    fields = record.fingerprint_fields
    alike = {key: value for key, value in fields["rdm"].items() if key != "distortion_weight"}
    return f"{fields['parent']['name']} {sorted(alike.items(), key=str)}"


def _curve(store: Store, records: list[TargetRecord]) -> RdmCurve:
    first = records[0]
    settings: Mapping[str, Any] = first.fingerprint_fields["rdm"]
    points = sorted((_point(record) for record in records), key=lambda point: point.distortion_weight)
    has_distortion = any(point.distortion is not None for point in points)
    parent = first.fingerprint_fields["parent"]["name"]
    return RdmCurve(
        parent=parent,
        preset=first.attributes["rdm_spec"]["preset"],
        distortion_kind=f"{settings['distortion']}, {settings['reduction']}" if has_distortion else None,
        parent_top1=_parent_top1(store, parent, settings["seed"], settings["val_fraction"]),
        points=tuple(points),
    )


def _point(record: TargetRecord) -> RdmPoint:
    attributes, curve = record.attributes, record.attributes["curve"]
    best = next(entry for entry in curve if entry["epoch"] == attributes["best_epoch"])
    return RdmPoint(
        target=record.name,
        distortion_weight=record.fingerprint_fields["rdm"]["distortion_weight"],
        bits=attributes["bits"],
        top1=attributes["top1"],
        distortion=best.get("distortion"),
        best_epoch=attributes["best_epoch"],
        epochs=tuple(entry["epoch"] for entry in curve),
        bits_by_epoch=tuple(entry["bits"] for entry in curve),
    )


def _parent_top1(store: Store, name: str, seed: int, fraction: float) -> float | None:
    """The parent's top-1 on view 0 of the rows that validated its RDMs."""
    if name not in store.targets():
        return None
    record, labels = store.sealed(name), store.labels()
    rows = split_rows(store.digests(), seed, fraction)[1]
    usable = (labels >= 0) & (store.sample_status() == DECODED) & has_targets(store, name)
    rows = rows[usable[rows]]
    if not len(rows):
        return None
    reader, head = store.target(name, budget_bytes=0), store.head(name)
    if "logits" in record.arrays:
        logits = from_stored(reader.read("logits", rows), record.arrays["logits"].dtype)
    elif head is not None:
        embedding = from_stored(reader.read("image_embedding", rows), record.arrays["image_embedding"].dtype)
        logits = embedding @ head[0].T + (0 if head[1] is None else head[1])
    else:
        return None
    if labels.max() >= logits.shape[1]:
        return None  # the labels are of other classes
    return float(np.mean(logits.argmax(1) == labels[rows]))

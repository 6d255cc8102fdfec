"""The rate-distortion curve of a store's RDMs (CIFD, Saidutta et al., NeurIPS 2024, Fig. 5), as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from teachonce.cache.store import Store
from teachonce.cache.targets import TargetRecord
from teachonce.engine.rdm.stored import KIND
from teachonce.errors import StoreMissingError


@dataclass(frozen=True, kw_only=True)
class RdmPoint:
    """One RDM with its bottleneck rounded, on its validation rows."""

    target: str
    distortion_weight: float
    """R of the paper."""
    bits: float
    """Rate, in bits per sample."""
    top1: float | None
    """In [0, 1]; None without labels."""
    distortion: float | None
    """As measured in training; None without a reconstruction (preset `cnn`)."""
    best_epoch: int
    epochs: tuple[int, ...]
    bits_by_epoch: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class RdmCurve:
    """RDMs of one target that differ only in R, by R."""

    parent: str
    preset: str
    distortion_kind: str | None
    """Such as `mse, sum`; None without a reconstruction."""
    parent_top1: float | None
    """Top-1 of the parent on the same rows, as recorded; None without logits or labels."""
    points: tuple[RdmPoint, ...]


def rate_distortion(store: Store) -> list[RdmCurve]:
    """The curves of all sealed RDM targets of a store; several if they differ in more than R.

    All numbers are from the records of the RDMs: the parent may have been removed or replaced.

    Raises:
        StoreMissingError: There is none.
    """
    records = [record for record in store.targets().values() if record.kind == KIND and record.sealed]
    if not records:
        mend = f"Train some: `teachonce rdm --store {store.path} --distortion-weight 10000,5000,1000`"
        raise StoreMissingError(f"{store.path} has no finished RDM targets", mend)
    groups: dict[str, list[TargetRecord]] = {}
    for record in records:
        groups.setdefault(_family(record), []).append(record)
    return [_curve(group) for _, group in sorted(groups.items())]


def _family(record: TargetRecord) -> str:
    """What the RDMs of one curve have in common."""
    fields = record.fingerprint_fields
    alike = {key: value for key, value in fields["rdm"].items() if key != "distortion_weight"}
    parent = (fields["parent"][key] for key in ("name", "fingerprint", "content"))
    return f"{' '.join(parent)} {sorted(alike.items(), key=str)}"


def _curve(records: list[TargetRecord]) -> RdmCurve:
    first = records[0]
    settings: Mapping[str, Any] = first.fingerprint_fields["rdm"]
    points = sorted((_point(record) for record in records), key=lambda point: point.distortion_weight)
    has_distortion = any(point.distortion is not None for point in points)
    return RdmCurve(
        parent=first.fingerprint_fields["parent"]["name"],
        preset=first.attributes["rdm_spec"]["preset"],
        distortion_kind=f"{settings['distortion']}, {settings['reduction']}" if has_distortion else None,
        parent_top1=first.attributes.get("teacher_top1"),
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

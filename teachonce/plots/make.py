"""The figures of `teachonce plot`: compute, draw, write; one function per figure."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teachonce.cache.store import open_store
from teachonce.events import SILENT, Events
from teachonce.plots.cost import CostPoint, Which, training_costs
from teachonce.plots.draw.cost import draw_costs
from teachonce.plots.draw.rate_distortion import draw_rate_distortion
from teachonce.plots.draw.tsne import draw_tsne
from teachonce.plots.figure import check_out, save
from teachonce.plots.rate_distortion import RdmCurve, rate_distortion
from teachonce.plots.texts import families
from teachonce.plots.tsne import tsne


@dataclass(frozen=True, kw_only=True)
class RateDistortionPicture:
    """The data of the figure, and its file."""

    out: str
    store: str
    curves: tuple[RdmCurve, ...]


@dataclass(frozen=True, kw_only=True)
class TsnePicture:
    """The data of the figure, and its file."""

    out: str
    store: str
    rows: tuple[int, ...]
    labels: tuple[int, ...]
    class_names: dict[int, str]
    panels: tuple[dict[str, Any], ...]
    """Each with `target, array, width, distinct, kl`, and `x` and `y`, one number per row."""


@dataclass(frozen=True, kw_only=True)
class CostPicture:
    """The data of the figure, and its file."""

    out: str
    accuracy: str
    counting: str
    points: tuple[CostPoint, ...]


def plot_rate_distortion(*, store: str | Path, out: str | Path) -> RateDistortionPicture:
    """Draw accuracy, rate and distortion of a store's RDMs over R and over each other.

    Args:
        store: Folder of the store.
        out: A file that ends in .png, .svg or .pdf.

    Raises:
        InputError: Another suffix.
        StoreMissingError: No store, or no finished RDM in it.
        DiskError: The figure cannot be written.
    """
    place, opened = check_out(Path(out)), open_store(store)
    curves = rate_distortion(opened)
    save(draw_rate_distortion(curves), place)
    return RateDistortionPicture(out=str(place), store=str(opened.path), curves=tuple(curves))


def plot_tsne(
    *,
    store: str | Path,
    targets: Sequence[str],
    out: str | Path,
    rows: int = 1000,
    classes: int = 10,
    perplexity: float = 30.0,
    seed: int = 0,
    events: Events = SILENT,
) -> TsnePicture:
    """Draw t-SNE maps of targets side by side, the same rows in each.

    Args:
        store: Folder of the store.
        targets: Their names, in the order of the panels.
        out: A file that ends in .png, .svg or .pdf.
        rows: How many rows at most.
        classes: The first so many classes.
        perplexity: Of t-SNE.
        seed: Of the choice of rows and of t-SNE.
        events: Receives progress and warnings.

    Raises:
        InputError: Another suffix, or settings that cannot be used.
        StoreMissingError: No store, or no such target.
        UnsealedError: A target is not finished.
        DataError: Too few rows.
        DiskError: The figure cannot be written.
    """
    place, opened = check_out(Path(out)), open_store(store)
    maps = tsne(opened, targets, rows=rows, classes=classes, perplexity=perplexity, seed=seed, events=events)
    boxes = families(maps.class_names.values())[1]
    if boxes:
        events.warn(
            f"no installed font has {boxes}: the figure shows boxes instead; install a font, for example fonts-noto-cjk"
        )
    save(draw_tsne(maps), place)
    panels = tuple(
        {
            "target": panel.target,
            "array": panel.array,
            "width": panel.width,
            "distinct": panel.distinct,
            "kl": panel.kl,
            "x": panel.xy[:, 0].tolist(),
            "y": panel.xy[:, 1].tolist(),
        }
        for panel in maps.panels
    )
    return TsnePicture(
        out=str(place),
        store=str(opened.path),
        rows=tuple(maps.rows.tolist()),
        labels=tuple(maps.labels.tolist()),
        class_names=maps.class_names,
        panels=panels,
    )


def plot_cost(
    *,
    runs: Sequence[str | Path],
    out: str | Path,
    store: str | Path | None = None,
    student: str | None = None,
    accuracy: Which = "auto",
    events: Events = SILENT,
) -> CostPicture:
    """Draw accuracy over training cost, from the cache and live.

    Args:
        runs: Finished runs, or folders that contain runs.
        out: A file that ends in .png, .svg or .pdf.
        store: Where the store is now; None: as recorded in the runs.
        student: This student's points only; None: all.
        accuracy: `test`, `validation`, or `auto`: test if all runs have it.
        events: Receives progress and warnings.

    Raises:
        InputError: Another suffix, or no such student.
        DataError: A run has no such accuracy.
        StoreMissingError: A folder, a run, a store or a target does not exist.
        MismatchError: A store is not the one that was trained on.
        DiskError: The figure cannot be written.
    """
    place, where = check_out(Path(out)), None if store is None else Path(store)
    folders = [Path(run) for run in runs]
    costs = training_costs(folders, store=where, student=student, accuracy=accuracy, events=events)
    save(draw_costs(costs), place)
    return CostPicture(out=str(place), accuracy=costs.accuracy, counting=costs.counting, points=costs.points)

"""The figures of `teachonce plot`: compute, draw, write; one function per figure."""

from dataclasses import dataclass
from typing import Any

from teachonce.cache.store import open_store
from teachonce.events import Events
from teachonce.options.plot import CostOptions, RateDistortionOptions, TsneOptions
from teachonce.options.verb import verb
from teachonce.plots.cost import CostPoint, training_costs
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


@verb(RateDistortionOptions)
def plot_rate_distortion(options: RateDistortionOptions, events: Events) -> RateDistortionPicture:
    """Draw accuracy, rate and distortion of a store's RDMs over R and over each other.

    Raises:
        InputError: Another suffix.
        StoreMissingError: No store, or no finished RDM in it.
        DiskError: The figure cannot be written.
    """
    place, opened = check_out(options.out), open_store(options.store)
    curves = rate_distortion(opened)
    save(draw_rate_distortion(curves), place)
    return RateDistortionPicture(out=str(place), store=str(opened.path), curves=tuple(curves))


@verb(TsneOptions)
def plot_tsne(options: TsneOptions, events: Events) -> TsnePicture:
    """Draw t-SNE maps of targets side by side, the same rows in each.

    Raises:
        InputError: Another suffix, or settings that cannot be used.
        StoreMissingError: No store, or no such target.
        UnsealedError: A target is not finished.
        DataError: Too few rows.
        DiskError: The figure cannot be written.
    """
    place, opened = check_out(options.out), open_store(options.store)
    maps = tsne(
        opened,
        options.targets,
        rows=options.rows,
        classes=options.classes,
        perplexity=options.perplexity,
        seed=options.seed,
        events=events,
    )
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


@verb(CostOptions)
def plot_cost(options: CostOptions, events: Events) -> CostPicture:
    """Draw accuracy over training cost, from the cache and live.

    Raises:
        InputError: Another suffix, or no such student.
        DataError: A run has no such accuracy.
        StoreMissingError: A folder, a run, a store or a target does not exist.
        MismatchError: A store is not the one that was trained on.
        DiskError: The figure cannot be written.
    """
    place = check_out(options.out)
    costs = training_costs(
        options.runs, store=options.store, student=options.student, accuracy=options.accuracy, events=events
    )
    save(draw_costs(costs), place)
    return CostPicture(out=str(place), accuracy=costs.accuracy, counting=costs.counting, points=costs.points)

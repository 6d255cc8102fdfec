"""The training curves of a report."""

from collections.abc import Sequence

import numpy as np

from teachonce.plots.curves import Curve, training_curves
from teachonce.plots.draw.curves import draw_curves
from teachonce.reports.accuracy import students
from teachonce.reports.gather import Material
from teachonce.reports.page import Figure, Section, Table
from teachonce.texts import share_text

_COLUMNS = ("method", "seeds", "epochs", "best validation top-1", "at epoch", "last validation top-1", "last loss")


def curves_section(material: Material) -> Section:
    """A figure for each student that was trained with several settings, or for the only one; empty without metrics."""
    each = {student: training_curves(groups) for student, groups in students(material).items()}
    shown = {student: curves for student, curves in each.items() if len(curves) > 1}
    shown = shown or {student: curves for student, curves in each.items() if curves}
    figures = [_figure(place, student, curves) for place, (student, curves) in enumerate(shown.items(), 1)]
    terms = [table for student, curves in each.items() if (table := _terms(student, curves)) is not None]
    left = [student for student, curves in each.items() if curves and student not in shown]
    lead = f"Not drawn, because trained with one setting only: {', '.join(left)}." if left else ""
    return Section(name="curves", title="Training", blocks=(*figures, *terms), lead=lead)


def _figure(place: int, student: str, curves: Sequence[Curve]) -> Figure:
    bands = " Bands are the range over seeds." if any(curve.seeds > 1 for curve in curves) else ""
    dashes = " Dashed: with the live teacher." if any(curve.is_live for curve in curves) else ""
    losses = " Losses of different methods have different terms and cannot be compared." if len(curves) > 1 else ""
    return Figure(
        name=f"curves-{place}",
        title=f"Training of {student}",
        caption=f"Validation accuracy and training loss by epoch.{bands}{dashes}{losses}",
        alt=f"Curves over epochs of {student}. Last validation accuracy: {'; '.join(map(_summary, curves))}.",
        draw=lambda width: draw_curves(curves, width),
        table=_table(curves),
    )


def _summary(curve: Curve) -> str:
    return f"{curve.label} {_share(curve.val_top1.mean[-1])}"


def _table(curves: Sequence[Curve]) -> Table:
    return Table(columns=_COLUMNS, rows=tuple(map(_row, curves)))


def _row(curve: Curve) -> tuple[str, ...]:
    accuracies = curve.val_top1.mean
    best = None if np.isnan(accuracies).all() else int(np.nanargmax(accuracies))
    return (
        curve.label,
        str(curve.seeds),
        str(curve.epochs[-1]),
        "-" if best is None else _share(accuracies[best]),
        "-" if best is None else str(curve.epochs[best]),
        _share(accuracies[-1]),
        f"{curve.loss.mean[-1]:.4g}",
    )


def _terms(student: str, curves: Sequence[Curve]) -> Table | None:
    """The first and the last value of each loss term; None if no method has several terms."""
    if not any(len(curve.terms) > 1 for curve in curves):
        return None
    rows = [
        (curve.label, "weighted sum" if name == "loss" else name, *map(_number, values), str(curve.epochs[-1]))
        for curve in curves
        for name, values in curve.terms.items()
        if name != "loss" or len(curve.terms) > 2  # of one term the sum is that term, times its weight
    ]
    seeds = " and over the seeds" if any(curve.seeds > 1 for curve in curves) else ""
    return Table(
        columns=("method", "loss term", "first epoch", "last epoch", "epochs"),
        rows=rows,
        texts=(0, 1),
        caption=f"Loss terms of {student}, before their weights; means over the steps of an epoch{seeds}",
    )


def _number(value: float) -> str:
    return f"{value:.4g}"


def _share(value: float) -> str:
    return share_text(None if np.isnan(value) else float(value))

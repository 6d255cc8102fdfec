"""What the commands of `plot` say: where the picture is, and its numbers."""

from typing import TYPE_CHECKING

from rich.text import Text

from teachonce.console.folding import Folding
from teachonce.console.tables import Parts, columns
from teachonce.console.texts import share_text

if TYPE_CHECKING:
    from teachonce.plots.make import CostPicture, RateDistortionPicture, TsnePicture

_STEPS = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"))


def rate_distortion_parts(result: "RateDistortionPicture") -> Parts:
    """A line an RDM."""
    table = columns("target", right=("R", "bits a sample", "distortion", "top-1", "best epoch"))
    for curve in result.curves:
        for point in curve.points:
            distortion = point.distortion
            table.add_row(
                Text(point.target),
                f"{point.distortion_weight:,g}",
                f"{point.bits:.4g}",
                "-" if distortion is None else f"{distortion:.4g}",
                share_text(point.top1),
                str(point.best_epoch),
            )
        if curve.parent_top1 is not None:
            table.add_row(Text(curve.parent), "-", "-", "-", share_text(curve.parent_top1), "-")
    return [table, "", _written(result.out)]


def tsne_parts(result: "TsnePicture") -> Parts:
    """A line a panel."""
    table = columns("target", "of", right=("width", "rows", "distinct", "t-SNE's KL"))
    for panel in result.panels:
        array = panel["array"].replace("_", " ")
        numbers = (f"{panel['width']:,}", f"{len(panel['x']):,}", f"{panel['distinct']:,}", f"{panel['kl']:.3g}")
        table.add_row(Text(panel["target"]), array, *numbers)
    return [table, "", _written(result.out)]


def cost_parts(result: "CostPicture") -> Parts:
    """A line a method."""
    right = ("seeds", f"{result.accuracy} top-1", "sd, points", "MACs, cached", "MACs, live", "cached over live")
    table = Folding(left=("method", "targets"), right=right)
    for point in result.points:
        table.add_row(
            Text(point.label),
            point.source if point.method != "ce" else "-",
            str(len(point.accuracies)),
            share_text(point.accuracy_mean),
            "-" if point.accuracy_sd is None else f"{100 * point.accuracy_sd:.2f}",
            macs_text(point.cached_macs),
            macs_text(point.live_macs),
            f"{point.cached_macs / point.live_macs:.3f}",
        )
    counting = Text(f"MACs: {result.counting}; computed for both; run was the one under targets", style="dim")
    names = {point.student for point in result.points}  # of several, the labels tell them
    student: Parts = [Text(f"student {names.pop()}"), ""] if len(names) == 1 else []
    return [*student, table, counting, "", _written(result.out)]


def macs_text(macs: int) -> str:
    """`142 P`."""
    return next((f"{macs / size:.4g} {letter}" for size, letter in _STEPS if macs >= size), f"{macs:,}")


def _written(out: str) -> Text:
    return Text(f"written: {out}")

"""Differences between the accuracies of two runs, with confidence intervals."""

from teachonce.intervals import Difference, between, difference
from teachonce.plots.runs import Run
from teachonce.records import to_json
from teachonce.texts import count_text, points_text


def run_difference(one: Run, two: Run, which: str) -> Difference | None:
    """The accuracy of a run minus that of another, with its 95 % interval; None if they are of different data.

    Args:
        one: A run.
        two: The other.
        which: `test` or `validation`.
    """
    if which == "test":
        if one.evaluation is None or two.evaluation is None or one.test_data != two.test_data:
            return None
        return between(to_json(one.evaluation.result), to_json(two.evaluation.result))
    first, second = one.result.val_top1, two.result.val_top1
    if first is None or second is None or not (one.val_rows and two.val_rows):
        return None
    return difference(first, one.val_rows, second, two.val_rows)


def chance_text(found: Difference) -> str:
    """`+1.67 points (95 % interval -0.95 to +4.33 points on 360 images: the choice of images may explain it)`."""
    images = f"{'the same ' if found.is_paired else ''}{count_text(found.rows, 'image')}"
    verdict = "more than the choice of images explains" if found.is_clear else "the choice of images may explain it"
    interval = f"95 % interval {100 * found.low:+.2f} to {points_text(found.high)} on {images}"
    return f"{points_text(found.value)} ({interval}: {verdict})"

"""Accuracies of runs with equal settings, and the accuracy table of one student."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from teachonce.intervals import wilson
from teachonce.plots.groups import Group
from teachonce.plots.runs import Run, comparable, is_one_test
from teachonce.reports.page import Table
from teachonce.texts import range_text, share_text, step_text

INTERVAL = "95 % interval"


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Runs with equal settings and their accuracies, in [0, 1]."""

    group: Group
    which: str
    """`test` or `validation`: the kind of `values`."""
    values: tuple[float, ...]
    """Of the runs that have one; may be empty for a teacher."""

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return statistics.fmean(self.values)

    @property
    def sd(self) -> float | None:
        """Over the seeds, n - 1; None for one seed."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson interval of one seed; None for several, or if the number of images is not known."""
        if len(self.values) != 1 or len(self.group.runs) != 1:
            return None
        (run,) = self.group.runs
        rows = run.test_rows if self.which == "test" else run.val_rows
        return wilson(self.values[0] * rows, rows) if rows else None


def scored(groups: Sequence[Group]) -> list[Scored]:
    """The groups with accuracies, the best first: on test data if all were tested on the same, else in validation."""
    which = comparable(run for group in groups for run in group.runs)
    found = [Scored(group=group, which=which, values=values_of(group.runs, which)) for group in groups]
    return sorted((one for one in found if one.values), key=lambda one: -one.mean)


def reference(run: Run, students: Sequence[Scored], *, is_named: bool = False) -> Scored:
    """A teacher as the reference of its students; without a value if it was not evaluated on their test data.

    Args:
        run: The run that trained it.
        students: At least one.
        is_named: Whether the name of its folder is included, to distinguish teachers of the same network.
    """
    which, first = students[0].which, students[0].group.runs[0]
    is_alike = which == "validation" or run.test_data == first.test_data
    summary = f"{run.settings.student}{f', {run.folder.name}' if is_named else ''}"
    group = Group(label=f"teacher ({summary})", runs=(run,))
    return Scored(group=group, which=which, values=values_of([run], which) if is_alike else ())


def values_of(runs: Sequence[Run], which: str) -> tuple[float, ...]:
    """The accuracies, `test` or `validation`, of the runs that have one."""
    return tuple(value for run in runs if (value := run.top1(which)) is not None)


def stands_out(best: Scored, others: Sequence[Scored]) -> bool:
    """Whether a mean is above each other one by more than the larger standard deviation of the two."""
    if best.sd is None or any(other.sd is None for other in others):
        return False
    return all(best.mean - other.mean > max(best.sd, other.sd or 0.0) for other in others)


def accuracy_table(caption: str, ranked: Sequence[Scored], teachers: Sequence[Run] = ()) -> Table:
    """The table: the accuracy they are sorted by, with its spread, then the other accuracy if it is comparable.

    Args:
        caption: Of the table.
        ranked: The best first.
        teachers: The first rows.
    """
    kinds = [run.settings.student for run in teachers]
    first = [reference(run, ranked, is_named=kinds.count(run.settings.student) > 1) for run in teachers]
    every, is_best = (*first, *ranked), len(ranked) > 1 and stands_out(ranked[0], ranked[1:])
    others = _others([run for one in every for run in one.group.runs], ranked)
    spread = (
        *([INTERVAL] if any(one.interval for one in every) else ()),
        *(("sd, points", "range") if any(one.sd is not None for one in every) else ()),
    )
    columns = ("method", "targets", "seeds", f"{ranked[0].which} top-1", *spread, *(f"{name} top-1" for name in others))
    columns += ("epochs", "ms per step")
    return Table(
        columns=columns,
        rows=[_row(one, spread, others) for one in every],
        texts=(0, 1),
        caption=caption,
        strong=(len(first),) if is_best else (),
    )


def _others(runs: Sequence[Run], ranked: Sequence[Scored]) -> tuple[str, ...]:
    """The accuracy that they are not sorted by, if it is comparable and any student has it."""
    other = "validation" if ranked[0].which == "test" else "test"
    is_shown = other == "validation" or is_one_test(runs)
    return (other,) if is_shown and any(values_of(one.group.runs, other) for one in ranked) else ()


def _row(one: Scored, spread: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    group = one.group
    steps = [float(run.result.step_ms) for run in group.runs if run.result.step_ms]
    cells = {
        INTERVAL: range_text(*one.interval) if one.interval else "-",
        "sd, points": "-" if one.sd is None else f"{100 * one.sd:.2f}",
        "range": "-" if one.sd is None else range_text(min(one.values), max(one.values)),
    }
    return (
        group.label,
        str(group.settings.source) if group.runs[0].needs_teacher else "-",
        str(len(group.runs)),
        _mean(one.values),
        *(cells[name] for name in spread),
        *(_mean(values_of(group.runs, name)) for name in others),
        str(group.settings.epochs),
        step_text(statistics.median(steps) if steps else None),
    )


def _mean(values: Sequence[float]) -> str:
    return share_text(statistics.fmean(values) if values else None)

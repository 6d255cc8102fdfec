"""How good the students are: a table for each student, with the spread over seeds, and what it allows to say."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from teachonce.plots.groups import Group, grouped
from teachonce.plots.runs import Run, comparable, is_one_test
from teachonce.reports.gather import Material
from teachonce.reports.page import Block, Section, Table, Text
from teachonce.texts import listed, share_text, step_text


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Runs of one setting and how good they are; shares in [0, 1]."""

    group: Group
    which: str
    """`test` or `validation`: which accuracies follow."""
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return statistics.fmean(self.values)

    @property
    def sd(self) -> float | None:
        """Over the seeds, n - 1; None of one."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None


def students(runs: Sequence[Run]) -> dict[str, list[Group]]:
    """The groups of each student; the one of most runs first."""
    names = dict.fromkeys(str(run.settings["student"]) for run in runs)
    each = {name: [run for run in runs if run.settings["student"] == name] for name in names}
    return {name: grouped(each[name]) for name in sorted(names, key=lambda name: -len(each[name]))}


def scored(groups: Sequence[Group]) -> list[Scored]:
    """The groups with accuracies, the best first: on test data where all have them, of the same; else in validation."""
    which = comparable(run for group in groups for run in group.runs)
    values = {group.label: _values(group, which) for group in groups}
    known = [group for group in groups if values[group.label]]
    found = [Scored(group=group, which=which, values=tuple(values[group.label])) for group in known]
    return sorted(found, key=lambda one: -one.mean)


def _values(group: Group, which: str) -> list[float]:
    """Of the runs that have it."""
    of = [run.test_top1 if which == "test" else run.result["val_top1"] for run in group.runs]
    return [float(value) for value in of if value is not None]


def stands_out(best: Scored, others: Sequence[Scored]) -> bool:
    """Whether a mean is above each other one by more than the larger standard deviation of the two."""
    if best.sd is None or any(other.sd is None for other in others):
        return False
    return all(best.mean - other.mean > max(best.sd, other.sd or 0.0) for other in others)


def accuracy_section(material: Material) -> Section | None:
    """A table a student, the best first; None without runs."""
    blocks: list[Block] = []
    for student, groups in students(material.runs).items():
        ranked = scored(groups)
        if ranked:
            blocks += [_table(student, ranked), *([Text(text=_finding(ranked))] if len(ranked) > 1 else [])]
    if not blocks:
        return None
    searched = f"Settings were searched for with {material.trials} trials, which are not in these tables."
    given = "No search for settings is among these runs: methods are compared at the settings they were given."
    blocks.append(Text(text=searched if material.trials else given))
    lead = "The best first; over several seeds the mean, the standard deviation (n - 1) and the range."
    return Section(name="accuracy", title="Accuracy", blocks=tuple(blocks), lead=lead)


def _table(student: str, ranked: Sequence[Scored]) -> Table:
    """The accuracy by which they are ranked, with its spread, then the other where there is any that compares."""
    is_best = len(ranked) > 1 and stands_out(ranked[0], ranked[1:])
    other = "validation" if ranked[0].which == "test" else "test"
    is_shown = other == "validation" or is_one_test(run for one in ranked for run in one.group.runs)
    others = (other,) if is_shown and any(_values(one.group, other) for one in ranked) else ()
    spread = ("sd", "range") if any(one.sd is not None for one in ranked) else ()
    first = ("method", "source", "seeds", f"{ranked[0].which} top-1")
    columns = (*first, *spread, *(f"{name} top-1" for name in others), "epochs", "ms a step")
    return Table(
        columns=columns,
        rows=tuple(_row(one, others, has_spread=bool(spread)) for one in ranked),
        numeric=(False, False, *[True] * (len(columns) - 2)),
        caption=f"Student {student}",
        strong=(0,) if is_best else (),
    )


def _row(one: Scored, others: Sequence[str], *, has_spread: bool) -> tuple[str, ...]:
    group = one.group
    steps = [float(run.result["step_ms"]) for run in group.runs if run.result.get("step_ms")]
    return (
        group.label,
        str(group.settings["source"]) if group.runs[0].needs_teacher else "-",
        str(len(group.runs)),
        share_text(one.mean),
        *(_spread(one) if has_spread else ()),
        *(share_text(statistics.fmean(found)) if (found := _values(group, name)) else "-" for name in others),
        str(group.settings["epochs"]),
        step_text(statistics.median(steps) if steps else None),
    )


def _spread(one: Scored) -> tuple[str, str]:
    """Over the seeds."""
    if one.sd is None:
        return "-", "-"
    return share_text(one.sd), f"{100 * min(one.values):.2f} - {share_text(max(one.values))}"


def _finding(ranked: Sequence[Scored]) -> str:
    """What the spread allows to say."""
    best, rest = ranked[0], ranked[1:]
    told = f"Ranked by {best.which} accuracy" + (
        "." if best.which == "test" else ", since not every run was evaluated on the same test data."
    )
    if any(one.sd is None for one in ranked):
        alone = "Some have" if any(one.sd is not None for one in ranked) else "Each has"
        return f"{told} {alone} one seed only, so the differences may be chance; more seeds tell the spread."
    if stands_out(best, rest):
        return f"{told} {best.group.label} is the best, by more than the spread over seeds."
    near = [one.group.label for one in rest if not stands_out(best, [one])]
    return f"{told} No best one: {best.group.label} leads, but {_near(near)} within the spread over seeds."


def _near(labels: list[str]) -> str:
    if len(labels) > 3:
        return f"{len(labels)} others are"
    return f"{listed(labels)} {'is' if len(labels) == 1 else 'are'}"

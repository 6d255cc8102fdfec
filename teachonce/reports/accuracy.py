"""Accuracy: a table for each student, with the spread over seeds, and whether the differences are significant."""

from collections.abc import Iterator, Sequence

from teachonce.plots.groups import Group, grouped
from teachonce.plots.runs import Run
from teachonce.reports.chance import chance_text, run_difference
from teachonce.reports.gather import Material
from teachonce.reports.page import Block, Section, Table, Text
from teachonce.reports.scores import INTERVAL, Scored, accuracy_table, scored, stands_out
from teachonce.reports.teachers import references, stored_top1
from teachonce.texts import listed, share_text


def students(material: Material, runs: Sequence[Run] | None = None) -> dict[str, list[Group]]:
    """The groups of each student, the one of most runs first; networks that were trained as teachers only are left out.

    Args:
        material: Of the report.
        runs: Some of its runs; None: all.
    """
    found = networks(material.runs if runs is None else runs)
    taught = {name: groups for name, groups in found.items() if not _is_teacher(groups, material)}
    return taught or found


def _is_teacher(groups: Sequence[Group], material: Material) -> bool:
    """Whether all of them are teachers and nothing else: one that was distilled is a student as well."""
    return all(run in material.teachers and not run.needs_teacher for group in groups for run in group.runs)


def networks(runs: Sequence[Run]) -> dict[str, list[Group]]:
    """The groups of each network that was trained; the one of most runs first."""
    names = dict.fromkeys(run.settings.student for run in runs)
    each = {name: [run for run in runs if run.settings.student == name] for name in names}
    return {name: grouped(each[name]) for name in sorted(names, key=lambda name: -len(each[name]))}


def accuracy_section(material: Material) -> Section:
    """A table per student: its teacher as the reference, then methods by accuracy; empty without runs."""
    each = {student: scored(groups) for student, groups in students(material).items()}
    blocks = [block for name, ranked in each.items() if ranked for block in _student_blocks(name, ranked, material)]
    searched = f"Hyperparameters were searched for with {material.trials} trials, which are not in these tables."
    given = "No hyperparameter search is among these runs: each method is compared with the settings it was given."
    if blocks:
        blocks.append(Text(text=searched if material.trials else given))
    return Section(name="accuracy", title="Accuracy", blocks=blocks, lead=_lead(blocks))


def _lead(blocks: Sequence[Block]) -> str:
    columns = {column for block in blocks if isinstance(block, Table) for column in block.columns}
    words = ["Sorted by accuracy, the best first."]
    if INTERVAL in columns:
        words.append("For one seed: the Wilson interval for its number of images, without the variance between seeds.")
    if "range" in columns:
        words.append("For several seeds: mean, standard deviation (n - 1) and range.")
    return " ".join(words)


def _student_blocks(student: str, ranked: Sequence[Scored], material: Material) -> Iterator[Block]:
    runs = [run for one in ranked for run in one.group.runs]
    teachers = [one for one in references(runs, material) if one.run not in runs]
    is_teacher = _is_teacher([one.group for one in ranked], material)
    trained = [one.run for one in teachers if one.run is not None]
    yield accuracy_table(f"{'Teacher' if is_teacher else 'Student'} {student}", ranked, trained)
    if len(ranked) > 1:
        yield Text(text=_finding(ranked))
    for one in teachers:
        if one.run is None and (known := stored_top1(one)) is not None:
            assert one.store is not None
            yield Text(
                text=f"The teacher {one.name} has {share_text(known[0])} top-1 on the {known[1]:,} labelled rows of "
                f"{one.store.path.name}. Students were trained on rows of this store, so this is not a test accuracy."
            )


def _finding(ranked: Sequence[Scored]) -> str:
    """Which method is best, as far as the spread over seeds allows a conclusion."""
    best, rest = ranked[0], ranked[1:]
    summary = f"Ranked by {best.which} accuracy" + (
        "." if best.which == "test" else ", because not all runs were evaluated on the same test data."
    )
    if any(one.sd is None for one in ranked):
        alone = "Some have" if any(one.sd is not None for one in ranked) else "Each has"
        difference = _difference_of_first_two(best, rest[0])
        chance = "one seed only, so differences may be chance; run more seeds to measure the spread."
        return f"{summary} {alone} {chance}{difference}"
    if stands_out(best, rest):
        return f"{summary} {best.group.label} is best, by more than the spread over seeds."
    near = [one.group.label for one in rest if not stands_out(best, [one])]
    return f"{summary} No clear best: {best.group.label} is first, but {_near(near)} within the spread over seeds."


def _difference_of_first_two(best: Scored, second: Scored) -> str:
    """The difference between the first two with one run each, and its interval."""
    if best.sd is not None or second.sd is not None:
        return ""
    found = run_difference(best.group.runs[0], second.group.runs[0], best.which)
    if found is None:
        return ""
    if not found.value:
        return f" {best.group.label} and {second.group.label} are equal: {chance_text(found)}."
    return f" {best.group.label} is ahead of {second.group.label} by {chance_text(found)}."


def _near(labels: list[str]) -> str:
    if len(labels) > 3:
        return f"{len(labels)} others are"
    return f"{listed(labels)} {'is' if len(labels) == 1 else 'are'}"

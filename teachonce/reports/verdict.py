"""The verdict of a report: one sentence."""

from collections.abc import Sequence

from teachonce.benchmarks.estimate.records import Estimate
from teachonce.benchmarks.live.records import CaseResult, SweepResult
from teachonce.reports.findings import Finding, findings, of_bench
from teachonce.reports.gather import Material
from teachonce.reports.measured import Measured, measured_in, measurements
from teachonce.reports.page import Verdict
from teachonce.texts import epochs_text, listed, number_text, span_text

OPEN = (
    "Nothing to compare: no run with the live teacher has the settings of a run from the cache. "
    "`teachonce bench live` measures both."
)


def judge(material: Material) -> tuple[str, Verdict]:
    """The sentence, and which is better; cases where the live teacher is better come first."""
    found = findings(material)
    return _judged(found, measurements(material)) if found else _expected(material)


def judge_live(result: CaseResult | SweepResult) -> str:
    """The sentence about a result of `bench live` alone."""
    measured = measured_in([result])
    return _judged(list(map(of_bench, measured)), measured)[0]


def _judged(found: Sequence[Finding], measured: Sequence[Measured]) -> tuple[str, Verdict]:
    doubtful = [one for one in found if not one.is_clear]
    if len(doubtful) == len(found):
        spread = span_text([value for one in found for value in (one.low, one.high)])
        summary = f"No clear difference: a step with the live teacher takes {spread} times as long"
        return f"{summary} as one from the cache (quartiles).", "open"
    if len(found) == 1 and measured:
        return measured[0].found.verdict, "cached" if found[0].is_better else "live"
    losers = [one for one in found if not one.is_better]
    if len(losers) == len(found):
        return _loss(found), "live"
    if not losers:
        return _win(found), "cached" if any(one.has_break_even for one in found) else "open"
    return f"The live teacher is better for {_named(losers, found)}; {_win_else(found)}.", "mixed"


def caveats(material: Material) -> tuple[str, ...]:
    """Warnings about the measurements that the verdict is based on."""
    summary = []
    found = findings(material)
    winners = [one for one in found if one.is_better]
    slow = [one for one in measurements(material) if one.check.is_too_slow]
    if slow and winners:
        why = "which overestimates the speed-up of the cache"
        summary.append(f"The live arm was slower than its parts for {_where(slow)}, {why}.")
    fast = [one for one in measurements(material) if one.check.is_too_fast]
    if fast:
        why = "which is impossible: other work disturbed the measurement; measure again with more --rounds"
        summary.append(f"The live arm was faster than its teacher and the student's step for {_where(fast)}, {why}.")
    if len(winners) < len(found) and not all(one.has_break_even for one in winners):
        summary.append("The time of stage one was not recorded for all, so some break-evens are unknown.")
    return tuple(summary)


def _where(some: Sequence[Measured]) -> str:
    words = [f"{one.method} ({one.setting})" if one.setting else one.method for one in some]
    return listed(words) if len(some) < 4 else f"{len(some)} settings"


def _named(some: Sequence[Finding], found: Sequence[Finding]) -> str:
    return listed([one.name for one in some]) if len(some) < 4 else f"{len(some)} of {len(found)} settings"


def _expected(material: Material) -> tuple[str, Verdict]:
    """The verdict of an estimate, if nothing was measured."""
    for estimate in material.of(Estimate):
        if estimate.student is not None:
            return f"Estimated: {estimate.verdict}", estimate.student.pays
    return OPEN, "open"


def _win_else(found: Sequence[Finding]) -> str:
    """A clause about the cases where the cache is better."""
    winners = [one for one in found if one.is_better]
    summary = f"otherwise a step from the cache takes {_savings(winners)}"
    if not all(one.has_break_even for one in winners):
        return summary
    paid = [one.break_even for one in winners if one.break_even is not None]
    return f"{summary}, with break-even after {_paid(paid, winners)}"


def _savings(found: Sequence[Finding]) -> str:
    summary = f"{span_text(one.speedup for one in found)} times less time"
    memory = [one.memory_ratio for one in found if one.memory_ratio is not None]
    if memory and max(memory) > 1.05:
        summary += f" and {span_text(memory)} times less {found[0].memory_name}"
    return summary


def _win(found: Sequence[Finding]) -> str:
    summary = f"From the cache a step takes {_savings(found)}"
    if not all(one.has_break_even for one in found):
        return f"{summary}; the time of stage one was not recorded, so the break-even is unknown."
    paid = [one.break_even for one in found if one.break_even is not None]
    return f"{summary}; break-even after {_paid(paid, found)}."


def _loss(found: Sequence[Finding]) -> str:
    """The times of a step and of an epoch are measured separately: either may be less than live without the other."""
    summary = "The live teacher is better here: a step from the cache takes "
    slower = [one for one in found if one.speedup <= 1]
    if slower:
        summary += f"{span_text(1 / one.speedup for one in slower)} times as long"
    else:
        summary += f"{span_text(one.speedup for one in found)} times less time"
    paid = [one.break_even for one in found if one.break_even is not None]
    if not paid:
        return f"{summary}, and there is no break-even."
    which = "there is no break-even, or" if len(paid) < len(found) else "break-even is"
    summary += f", {'and' if slower else 'but'} {which} only after {_when(paid)}"
    trained = {one.epochs for one in found}
    return f"{summary}; a student is trained for {trained.pop():,}." if len(trained) == 1 else f"{summary}."


def _paid(epochs: Sequence[float], found: Sequence[Finding]) -> str:
    """`1.7 of a student's 30 epochs`."""
    trained = {one.epochs for one in found}
    return f"{span_text(epochs)} of a student's {trained.pop():,} epochs" if len(trained) == 1 else _when(epochs)


def _when(epochs: Sequence[float]) -> str:
    is_one = len(set(map(number_text, epochs))) == 1
    return epochs_text(epochs[0]) if is_one else f"{span_text(epochs)} epochs"

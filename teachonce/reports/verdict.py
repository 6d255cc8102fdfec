"""The sentence that a report begins with."""

from collections.abc import Mapping, Sequence
from typing import Any

from teachonce.reports.findings import Finding, findings, of_bench
from teachonce.reports.gather import Material
from teachonce.reports.measured import Measured, measured_in, measurements
from teachonce.reports.page import Verdict
from teachonce.texts import epochs_text, listed, number_text, span_text

OPEN = (
    "Nothing was compared: there is no training with the live teacher beside the same one from the cache. "
    "teachonce bench live measures both."
)


def judge(material: Material) -> tuple[str, Verdict]:
    """The sentence, and who is better; where the live teacher is for anything, that comes first."""
    found = findings(material)
    return _judged(found, measurements(material)) if found else _expected(material)


def judge_live(result: Mapping[str, Any]) -> str:
    """The sentence about a result of `bench live` alone, which has at least one case."""
    measured = measured_in([result])
    return _judged(list(map(of_bench, measured)), measured)[0]


def _judged(found: Sequence[Finding], measured: Sequence[Measured]) -> tuple[str, Verdict]:
    doubtful = [one for one in found if not one.is_clear]
    if len(doubtful) == len(found):
        spread = span_text([value for one in found for value in (one.low, one.high)])
        told = f"No clear difference: within the spread a step with the live teacher takes {spread} times as long"
        return f"{told} as one from the cache.", "open"
    if len(found) == 1 and measured:
        return str(measured[0].found["verdict"]), "cached" if found[0].is_better else "live"
    losers = [one for one in found if not one.is_better]
    if len(losers) == len(found):
        return _loss(found), "live"
    if not losers:
        return _win(found), "cached" if any(one.is_paid_known for one in found) else "open"
    return f"The live teacher is better for {_named(losers, found)}; {_win_else(found)}.", "mixed"


def doubts(material: Material) -> tuple[str, ...]:
    """What must be known before the sentence is believed, where it speaks for the cache."""
    told = []
    found = findings(material)
    winners = [one for one in found if one.is_better]
    slow = [one for one in measurements(material) if one.is_flattered]
    if slow and winners:
        told.append(f"The live arm was slower than it must be for {_where(slow)}, which flatters the cache.")
    fast = [one for one in measurements(material) if one.is_impossible]
    if fast:
        why = "so the machine was busy; measure again with more --rounds"
        told.append(f"The live arm was faster than its teacher and the student's step for {_where(fast)}, {why}.")
    if len(winners) < len(found) and not all(one.is_paid_known for one in winners):
        told.append("What stage one took is not on record everywhere, so when the cache has paid is not all known.")
    return tuple(told)


def _where(some: Sequence[Measured]) -> str:
    words = [f"{one.method} ({one.setting})" if one.setting else one.method for one in some]
    return listed(words) if len(some) < 4 else f"{len(some)} settings"


def _named(some: Sequence[Finding], found: Sequence[Finding]) -> str:
    return listed([one.name for one in some]) if len(some) < 4 else f"{len(some)} of {len(found)} settings"


def _expected(material: Material) -> tuple[str, Verdict]:
    """What an estimate says where nothing was measured."""
    for bench in material.of("estimate"):
        student = bench.result.get("student")
        if student is not None:
            return f"Estimated: {bench.result['verdict']}", "cached" if student["pays"] == "cached" else "live"
    return OPEN, "open"


def _win_else(found: Sequence[Finding]) -> str:
    """A clause about those where the cache is better, beside others."""
    winners = [one for one in found if one.is_better]
    told = f"else a step from the cache takes {_savings(winners)}"
    if not all(one.is_paid_known for one in winners):
        return told
    paid = [one.break_even for one in winners if one.break_even is not None]
    return f"{told}, and the cache has paid after {_paid(paid, winners)}"


def _savings(found: Sequence[Finding]) -> str:
    told = f"{span_text(one.speedup for one in found)} times less time"
    memory = [one.memory_ratio for one in found if one.memory_ratio is not None]
    if memory and max(memory) > 1.05:
        told += f" and {span_text(memory)} times less {found[0].memory_name}"
    return told


def _win(found: Sequence[Finding]) -> str:
    told = f"From the cache a step takes {_savings(found)}"
    if not all(one.is_paid_known for one in found):
        return f"{told}; what stage one took is not on record, so when the cache has paid is unknown."
    paid = [one.break_even for one in found if one.break_even is not None]
    return f"{told}; the cache has paid after {_paid(paid, found)}."


def _loss(found: Sequence[Finding]) -> str:
    """A step's time and a whole epoch's are two measurements, so either may be less than live without the other."""
    told = "The live teacher is better here: a step from the cache takes "
    slower = [one for one in found if one.speedup <= 1]
    if slower:
        told += f"{span_text(1 / one.speedup for one in slower)} times as long"
    else:
        told += f"{span_text(one.speedup for one in found)} times less time"
    paid = [one.break_even for one in found if one.break_even is not None]
    if not paid:
        return f"{told}, and it never pays."
    pays = "never pays, or" if len(paid) < len(found) else "pays"
    told += f", {'and' if slower else 'but'} the cache {pays} only after {_when(paid)}"
    trained = {one.epochs for one in found}
    return f"{told}; a student is trained for {trained.pop():,}." if len(trained) == 1 else f"{told}."


def _paid(epochs: Sequence[float], found: Sequence[Finding]) -> str:
    """`1.7 of a student's 30 epochs`."""
    trained = {one.epochs for one in found}
    return f"{span_text(epochs)} of a student's {trained.pop():,} epochs" if len(trained) == 1 else _when(epochs)


def _when(epochs: Sequence[float]) -> str:
    is_one = len(set(map(number_text, epochs))) == 1
    return epochs_text(epochs[0]) if is_one else f"{span_text(epochs)} epochs"

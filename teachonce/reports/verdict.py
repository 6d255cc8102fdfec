"""The sentence that a report begins with, and the numbers beside it."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from teachonce.reports.accuracy import scored, students
from teachonce.reports.findings import Finding, findings, of_bench
from teachonce.reports.gather import Material
from teachonce.reports.measured import Measured, measured_in, measurements
from teachonce.reports.page import Tile, Verdict
from teachonce.reports.stores import stage_one_seconds, target_bytes
from teachonce.texts import (
    duration_text,
    epochs_text,
    listed,
    number_text,
    ratio_text,
    share_text,
    size_text,
    span_text,
)

OPEN = (
    "Nothing was compared: there is no training with the live teacher beside the same one from the cache. "
    "teachonce bench live measures both."
)


def judge(material: Material) -> tuple[str, Verdict]:
    """The sentence, and who is better; where the live teacher is for anything, that comes first."""
    found = findings(material)
    return _judged(found, measurements(material)) if found else _expected(material)


def judge_live(result: Mapping[str, Any]) -> str:
    """The sentence about a result of `bench live` alone."""
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
    told = "The live teacher is better here: a step from the cache takes "
    slower = [one for one in found if one.speedup <= 1]
    if slower:
        return f"{told}{span_text(1 / one.speedup for one in slower)} times as long, and it never pays."
    paid = _when([one.break_even for one in found if one.break_even is not None])
    told = f"{told}{span_text(one.speedup for one in found)} times less time, but the cache pays only after {paid}"
    trained = {one.epochs for one in found}
    return f"{told}, and a student is trained for {trained.pop():,}." if len(trained) == 1 else f"{told}."


def _paid(epochs: Sequence[float], found: Sequence[Finding]) -> str:
    """`1.7 of a student's 30 epochs`."""
    trained = {one.epochs for one in found}
    return f"{span_text(epochs)} of a student's {trained.pop():,} epochs" if len(trained) == 1 else _when(epochs)


def _when(epochs: Sequence[float]) -> str:
    is_one = len(set(map(number_text, epochs))) == 1
    return epochs_text(epochs[0]) if is_one else f"{span_text(epochs)} epochs"


def tiles(material: Material) -> tuple[Tile, ...]:
    """The numbers that the page is about."""
    made = (*_compared(findings(material)), _best(material), _cache(material))
    return tuple(tile for tile in made if tile is not None)


def _compared(found: Sequence[Finding]) -> list[Tile]:
    """Of the first comparison; its note says of how many."""
    if not found:
        return []
    first = found[0]
    others = f"; the first of {len(found)} compared" if len(found) > 1 else ""
    spread = f"{_ends(first.low, first.high)}, {first.name}{others}"
    value, label = _saved(first.speedup, "faster step from the cache", "slower step from the cache", "time of a step")
    made = [Tile(value=value, label=label, note=spread)]
    if first.memory_ratio is not None:
        memory = first.memory_name
        value, label = _saved(first.memory_ratio, f"less {memory}", f"more {memory}", memory)
        made.append(Tile(value=value, label=label, note=f"{first.name}{others}"))
    if first.is_paid_known:
        note = f"of {first.epochs:,} of one student{f': {first.name}' if others else ''}"
        made.append(Tile(value=epochs_text(first.break_even), label="until the cache has paid", note=note))
    return made


def _ends(low: float, high: float) -> str:
    """`3.9 to 4.2`, or `3.77 to 3.84` where two digits do not tell them apart."""
    ends = number_text(low), number_text(high)
    return " to ".join(ends if ends[0] != ends[1] else (f"{low:.3g}", f"{high:.3g}"))


def _saved(ratio: float, better: str, worse: str, what: str) -> tuple[str, str]:
    """A tile's value and label, of live/cached."""
    if 0.95 < ratio < 1.05:
        return "same", f"{what}, live or cached"
    return (ratio_text(ratio), better) if ratio > 1 else (ratio_text(1 / ratio), worse)


def _best(material: Material) -> Tile | None:
    """The best setting of the student that was trained most."""
    for groups in students(material.runs).values():
        ranked = scored(groups)
        if ranked:
            best = ranked[0]
            spread = "one seed" if best.sd is None else f"sd {100 * best.sd:.2f} over {len(best.values)} seeds"
            note = f"{best.group.label}, {spread}"
            return Tile(value=share_text(statistics.fmean(best.values)), label=f"best {best.which} top-1", note=note)
    return None


def _cache(material: Material) -> Tile | None:
    """The size of the first store, and how long its first target took."""
    if not material.stores:
        return None
    store = material.stores[0]
    records = store.targets()
    name = "teacher" if "teacher" in records else next(iter(records), "")
    seconds = stage_one_seconds(store, name)
    note = f"{store.spec.rows:,} rows" + (f", stage one {duration_text(seconds)}" if seconds else "")
    return Tile(value=size_text(sum(map(target_bytes, records.values()))), label="of cached targets", note=note)

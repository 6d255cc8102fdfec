"""The key numbers at the top of a report."""

from collections.abc import Sequence

from teachonce.reports.accuracy import students
from teachonce.reports.findings import Finding, findings
from teachonce.reports.gather import Material
from teachonce.reports.page import Tile
from teachonce.reports.scores import Scored, scored
from teachonce.reports.stores import stage_one_seconds, target_bytes
from teachonce.texts import duration_text, epochs_text, number_text, range_text, ratio_text, share_text, size_text


def tiles(material: Material) -> tuple[Tile, ...]:
    """The key numbers."""
    made = (*_compared(findings(material)), _best(material), _cache(material))
    return tuple(tile for tile in made if tile is not None)


def _compared(found: Sequence[Finding]) -> list[Tile]:
    """Of the first comparison; the note gives the number of comparisons."""
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
    if first.has_break_even:
        note = f"one student: {first.epochs:,} epochs{f': {first.name}' if others else ''}"
        made.append(Tile(value=epochs_text(first.break_even), label="to break-even", note=note))
    return made


def _ends(low: float, high: float) -> str:
    """`3.9 to 4.2`, or `3.77 to 3.84` if two digits are equal."""
    ends = number_text(low), number_text(high)
    return " to ".join(ends if ends[0] != ends[1] else (f"{low:.3g}", f"{high:.3g}"))


def _saved(ratio: float, better: str, worse: str, what: str) -> tuple[str, str]:
    """Value and label of a tile for the ratio live/cached."""
    if 0.95 < ratio < 1.05:
        return "same", f"{what}, live or cached"
    return (ratio_text(ratio), better) if ratio > 1 else (ratio_text(1 / ratio), worse)


def _best(material: Material) -> Tile | None:
    """The best setting of the student with the most runs."""
    best = next((ranked[0] for groups in students(material).values() if (ranked := scored(groups))), None)
    if best is None:
        return None
    note = f"{best.group.label}, {_spread(best)}"
    return Tile(value=share_text(best.mean), label=f"best {best.which} top-1", note=note)


def _spread(best: Scored) -> str:
    if best.sd is not None:
        return f"sd {100 * best.sd:.2f} points over {len(best.values)} seeds"
    return "one seed" if best.interval is None else f"one seed, 95 % interval {range_text(*best.interval)}"


def _cache(material: Material) -> Tile | None:
    """The size of the first store, and the time of its first target."""
    if not material.stores:
        return None
    store = material.stores[0]
    records = store.targets()
    name = "teacher" if "teacher" in records else next(iter(records), "")
    seconds = stage_one_seconds(store, name)
    note = f"{store.spec.rows:,} rows" + (f", stage one {duration_text(seconds)}" if seconds else "")
    return Tile(value=size_text(sum(map(target_bytes, records.values()))), label="of cached targets", note=note)

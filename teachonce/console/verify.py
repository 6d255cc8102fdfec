"""What `verify` shows."""

from typing import TYPE_CHECKING

from rich.text import Text

from teachonce.console.tables import Parts, columns, pairs
from teachonce.console.texts import duration_text, size_text
from teachonce.errors import CorruptError, MismatchError, StoreError

if TYPE_CHECKING:
    from teachonce.engine.stage_one.again import TeacherCheck
    from teachonce.stages.verify import VerifyResult

_SHOWN = 20


def verify_parts(result: "VerifyResult") -> Parts:
    """The verdict, what was read, and a line for each problem."""
    rows = [
        ("store", result.store),
        ("targets", ", ".join(result.targets) or "none"),
        ("read", f"{result.files:,} files, {size_text(result.bytes)}, in {duration_text(result.seconds)}"),
        ("problems", f"{len(result.problems):,}"),
        *((f"  blocks of {name}", _numbers(blocks)) for name, blocks in result.bad_blocks.items()),
    ]
    if result.unproven:
        rows.append(("unproven", f"sealed by an earlier version: {', '.join(result.unproven)}"))
    if result.data is not None:
        rows.append(("data", "all rows match the store" if result.data == "ok" else result.data))
    if result.teacher is not None:
        rows += _teacher(result.teacher)
    rows.append(("verdict", "sound" if result.ok else "NOT sound"))
    parts: Parts = [pairs(rows)]
    if result.problems:
        table = columns("kind", "target", "block", "file")
        for problem in result.problems[:_SHOWN]:
            block = "" if problem["block"] is None else str(problem["block"])
            table.add_row(problem["kind"], Text(problem["target"] or "-"), block, Text(problem["file"]))
        parts += ["", table]
        if len(result.problems) > _SHOWN:
            parts.append(f"and {len(result.problems) - _SHOWN:,} more (--json has all)")
    return parts


def _numbers(blocks: list[int]) -> str:
    shown = ", ".join(map(str, blocks[:_SHOWN]))
    return shown + (f" and {len(blocks) - _SHOWN:,} more" if len(blocks) > _SHOWN else "")


def _teacher(again: "TeacherCheck") -> list[tuple[str, str]]:
    inside = again.rows - again.outside
    rows = [
        ("teacher", f"{inside:,} of {again.rows:,} rows are within {again.tolerance:g} of what is stored"),
        ("  largest", f"{again.largest:.2g}, relative; {again.identical:,} rows are equal in every bit"),
    ]
    if again.differs:
        rows.append(("  differs in", again.differs))
    rows += [(f"  row {w['row']}, view {w['view']}", f"{w['array']} differs by {w['error']:.2g}") for w in again.worst]
    return rows


def verify_error(result: "VerifyResult") -> StoreError | None:
    """Why the command fails; None where nothing is wrong."""
    if result.ok:
        return None
    if result.problems:
        first, count = result.problems[0], len(result.problems)
        message = f"{result.store} is damaged: problems: {count}, the first: {first['kind']} of {first['file']}"
        return CorruptError(message, first["mend"])
    if result.data not in (None, "ok"):
        return MismatchError(f"{result.store}: {result.data}", "Use the data that the store was made from")
    assert result.teacher is not None
    again = result.teacher
    told = f"{again.outside} of {again.rows} rows are outside the tolerance of {again.tolerance:g}"
    message = f"{result.store} is not from this teacher: {f'another {again.differs}; ' if again.differs else ''}{told}"
    return MismatchError(message, "Use the teacher that computed it, or embed again with another --name")

"""What a teacher pass will take, as people read it."""

from rich.table import Table
from rich.text import Text

from teachonce.console.tables import Parts, Result, columns, pairs
from teachonce.console.texts import duration_text, memory_text, rate_text, size_text


def estimate_parts(result: Result) -> Parts:
    """The verdict, the facts of the pass, what other views and dtypes would cost, and the student."""
    alone = result["alone_samples_per_s"]
    rows = [
        ("rows", f"{result['rows_left']:,} of {result['rows']:,} are left to run"),
        ("time", f"{duration_text(result['seconds'])}, {rate_text(result['samples_per_s'])} rows/s"),
        ("store", f"{result['store_bytes']:,} bytes, {result['bytes_per_sample']:,.0f} a sample"),
        ("disk", f"{size_text(result['free_bytes'])} free"),
        ("peak memory", memory_text(result)),
        ("teacher", _memory(result["memory"])),
        ("limited by", result["limit"]),
        ("alone, rows/s", ", ".join(f"{name} {rate_text(rate)}" for name, rate in alone.items())),
        ("batch", f"{result['batch_size']:,} images, {result['compute_dtype']}, {result['device']}"),
    ]
    student: Parts = [] if result["student"] is None else ["", pairs(_student(result["student"]))]
    return [Text(result["verdict"], style="bold"), "", pairs(rows), "", _table(result), *student]


def _memory(memory: Result) -> str:
    """`86.6 million weights: 346 MB in float32, 173 MB in bf16; a batch 96 MB more; of 8 GB`."""
    fits = memory["fits"]
    sizes = (
        f"{size_text(size)} in {dtype}{'' if fits[dtype] else ' (does not fit)'}"
        for dtype, size in memory["weights_bytes"].items()
    )
    beside = f"a batch {size_text(memory['batch_bytes'])} more; of {size_text(memory['free_bytes'])}"
    return f"{memory['parameters']:,} weights: {', '.join(sizes)}; {beside}"


def _table(result: Result) -> Table:
    """New stores of other views and dtypes."""
    table = columns("views", "dtype", right=("time", "store", "limited by"))
    for cost in result["table"]:
        asked = (cost["views"], cost["dtype"]) == (result["views"], result["dtype"])
        table.add_row(
            str(cost["views"]),
            cost["dtype"],
            duration_text(cost["seconds"]),
            size_text(cost["store_bytes"]),
            cost["limit"],
            style="bold" if asked else None,
        )
    return table


def _student(student: Result) -> list[tuple[str, str]]:
    rival = "" if student["live_method"] == student["method"] else f" ({student['live_method']})"
    cached, live = (duration_text(student[f"{arm}_epoch_s"]) for arm in ("cached", "live"))
    even, students = student["break_even_epochs"], student["break_even_students"]
    paid = "never" if even is None else f"after {even:,.2g} epochs, {students:,.2g} students of {student['epochs']:,}"
    return [
        ("student", f"{student['student']}, {student['method']}, batches of {student['batch_size']:,}"),
        ("a step", f"{student['cached_step_ms']:.3g} ms cached, {student['live_step_ms']:.3g} ms live{rival}"),
        ("an epoch", f"{cached} cached, {live} live"),
        ("the cache pays", paid),
    ]

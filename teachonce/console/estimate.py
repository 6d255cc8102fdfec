"""What a teacher pass will take, as people read it."""

from rich.table import Table
from rich.text import Text

from teachonce.benchmarks.estimate.records import Estimate, StudentCost, TeacherMemory
from teachonce.console.tables import Parts, columns, pairs
from teachonce.console.texts import duration_text, memory_text, rate_text, size_text


def estimate_parts(found: Estimate) -> Parts:
    """The verdict, the facts of the pass, what other views and dtypes would cost, and the student."""
    assert found.memory is not None, "this version writes it"
    alone = ", ".join(f"{name} {rate_text(rate)}" for name, rate in found.alone_samples_per_s.items())
    rows = [
        ("rows", f"{found.rows_left:,} of {found.rows:,} are left to run"),
        ("time", f"{duration_text(found.seconds)}, {rate_text(found.samples_per_s)} rows/s"),
        ("store", f"{found.store_bytes:,} bytes, {found.bytes_per_sample:,.0f} a sample"),
        ("disk", f"{size_text(found.free_bytes)} free"),
        ("peak memory", memory_text(found.peak_memory_bytes, found.host_memory_bytes)),
        ("teacher", _memory(found.memory)),
        ("limited by", found.limit),
        ("alone, rows/s", alone),
        ("batch", f"{found.batch_size:,} images, {found.compute_dtype}, {found.device}"),
    ]
    student: Parts = [] if found.student is None else ["", pairs(_student(found.student))]
    return [Text(found.verdict, style="bold"), "", pairs(rows), "", _table(found), *student]


def _memory(memory: TeacherMemory) -> str:
    """`86.6 million weights: 346 MB in float32, 173 MB in bf16; a batch 96 MB more; of 8 GB`."""
    sizes = (
        f"{size_text(size)} in {dtype}{'' if memory.fits[dtype] else ' (does not fit)'}"
        for dtype, size in memory.weights_bytes.items()
    )
    beside = f"a batch {size_text(memory.batch_bytes)} more; of {size_text(memory.free_bytes)}"
    return f"{memory.parameters:,} weights: {', '.join(sizes)}; {beside}"


def _table(result: Estimate) -> Table:
    """New stores of other views and dtypes."""
    table = columns("views", "dtype", right=("time", "store", "limited by"))
    for cost in result.table:
        asked = (cost.views, cost.dtype) == (result.views, result.dtype)
        cells = (str(cost.views), cost.dtype, duration_text(cost.seconds), size_text(cost.store_bytes), cost.limit)
        table.add_row(*cells, style="bold" if asked else None)
    return table


def _student(student: StudentCost) -> list[tuple[str, str]]:
    rival = "" if student.live_method == student.method else f" ({student.live_method})"
    even, students = student.break_even_epochs, student.break_even_students
    paid = "never" if even is None else f"after {even:,.2g} epochs, {students:,.2g} students of {student.epochs:,}"
    return [
        ("student", f"{student.student}, {student.method}, batches of {student.batch_size:,}"),
        ("a step", f"{student.cached_step_ms:.3g} ms cached, {student.live_step_ms:.3g} ms live{rival}"),
        ("an epoch", f"{duration_text(student.cached_epoch_s)} cached, {duration_text(student.live_epoch_s)} live"),
        ("the cache pays", paid),
    ]

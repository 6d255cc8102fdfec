"""What an estimate says, and its one sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from teachonce.benchmarks.estimate.cost import Cost, Limit
from teachonce.benchmarks.estimate.memory import TeacherMemory
from teachonce.benchmarks.estimate.steps import StudentCost
from teachonce.benchmarks.origin import Origin
from teachonce.texts import epochs_text

KIND = "teachonce.estimate"


@dataclass(frozen=True, kw_only=True)
class Estimate(Origin):
    """What stage one will take on this machine, and what it will leave on the disk."""

    kind: str = KIND
    verdict: str
    """One sentence."""
    teacher: str
    data: Mapping[str, Any]
    """Where it came from; see `Samples.description`."""
    device: str
    compute_dtype: str
    memory: TeacherMemory
    """What the teacher takes."""
    threads: int
    """CPU threads."""
    rows: int
    rows_left: int
    """That a store which is there already does not hold yet."""
    views: int
    dtype: str
    batch_size: int
    block_rows: int
    seconds: float
    """From the first row that is left to the seal, as `embed` reports it."""
    hours: float
    samples_per_s: float
    """Rows that are left over `seconds`; 0 where none is."""
    store_bytes: int
    """All files of the sealed store, with this target alone; exact where no row fails."""
    bytes_per_sample: float
    free_bytes: int
    """On the disk of the store, now."""
    peak_memory_bytes: int | None
    """Of the device; None on a CPU."""
    host_memory_bytes: int
    """Of the process that embeds."""
    limit: Limit
    """What the rest waits for."""
    alone_samples_per_s: Mapping[str, float]
    """Teacher, decode and disk, each with nothing else at work; rows with all their views."""
    probe_rows: int
    """The teacher has run over, for `seconds`."""
    table: Sequence[Cost]
    """New stores of other views and dtypes, over all rows."""
    student: StudentCost | None
    warnings: Sequence[str]


def sentence(cost: Cost, student: StudentCost | None) -> str:
    """The verdict.

    Args:
        cost: Of what is left to run.
        student: Who is to learn from it.
    """
    limits = {"teacher": "the teacher", "decode": "decoding the images", "disk": "the disk"}
    if student is None:
        if not cost.seconds:
            return "The target is complete: nothing is left to run."
        took = f"Stage one will take {_time(cost.seconds)} and {_size(cost.store_bytes)}"
        return f"{took}; {limits[cost.limit]} is the slowest part."
    return _paid(cost, student)


def _paid(cost: Cost, student: StudentCost) -> str:
    even = student.break_even_epochs
    if even is None:
        return "The live teacher is better here: a step from the cache is no faster, so there is no break-even."
    live, cached = student.epochs * student.live_epoch_s, cost.seconds + student.epochs * student.cached_epoch_s
    times = f"{_time(live)} live and {_time(cached)} from the cache, stage one included"
    if student.pays == "live":
        return (
            f"The live teacher is better here: {epochs_text(student.epochs)} of one student take {times}; "
            f"break-even is only after {epochs_text(even)}."
        )
    return f"The cache pays after {epochs_text(even)}: {epochs_text(student.epochs)} of one student take {times}."


def _time(seconds: float) -> str:
    for size, unit in ((3600.0, "hours"), (60.0, "minutes")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.2g} seconds"


def _size(count: int) -> str:
    return f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{count / 1e6:.3g} MB"

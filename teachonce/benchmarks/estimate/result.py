"""The one sentence of an estimate."""

from teachonce.benchmarks.estimate.records import Cost, StudentCost
from teachonce.texts import epochs_text


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

"""The JSON of `estimate`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from teachonce.benchmarks.live.payoff import Payoff
from teachonce.benchmarks.origin import Origin
from teachonce.bounds import Count, NotBelow, Positive
from teachonce.records import SPARSE

Limit = Literal["teacher", "decode", "disk"]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One way to keep a teacher's outputs."""

    views: Positive
    dtype: str
    store_bytes: Count
    """All files of the sealed store, where no row fails."""
    seconds: NotBelow
    """From the first row read to the seal."""
    limit: Limit
    """What the rest waits for."""


@dataclass(frozen=True, kw_only=True)
class TeacherMemory:
    """Bytes of the device, or of the host where that computes."""

    parameters: Count
    weights_bytes: Mapping[str, Count]
    """Of all parameters, by dtype."""
    kept_bytes: Count
    """Of parameters and buffers that stay in memory: fewer with a device map that leaves some in the files."""
    batch_bytes: Count
    """The most that a batch takes beside them in one view: its activations, and weights that are read for it."""
    free_bytes: Count
    """That were free without the teacher."""
    fits: Mapping[str, bool]
    """Whether all weights of a dtype and a batch take no more than that. A batch is taken to need as much in each."""


@dataclass(frozen=True, kw_only=True)
class _Steps:
    student: str
    method: str
    live_method: str | None
    batch_size: Positive
    epochs: Positive
    cached_step_ms: NotBelow
    live_step_ms: NotBelow
    cached_epoch_s: NotBelow
    live_epoch_s: NotBelow
    speedup: NotBelow
    """live/cached, of a step."""


@dataclass(frozen=True, kw_only=True)
class StudentCost(Payoff, _Steps):  # the fields of the last base come first
    """A student from the cache and with the live teacher; training steps alone, validation costs both the same."""


@dataclass(frozen=True, kw_only=True)
class Estimate(Origin):
    """What stage one will take on this machine, and what it will leave on the disk."""

    format: Literal[1] = 1
    kind: str = "teachonce.estimate"
    verdict: str
    """One sentence."""
    teacher: str
    data: Mapping[str, object]
    """Where it came from; see `Samples.description`."""
    device: str
    compute_dtype: str
    memory: Annotated[TeacherMemory | None, SPARSE] = None
    """What the teacher takes; None in files of earlier versions."""
    threads: Positive
    """CPU threads."""
    rows: Positive
    rows_left: Count
    """That a store which is there already does not hold yet."""
    views: Positive
    dtype: str
    batch_size: Positive
    block_rows: Positive
    seconds: NotBelow
    """From the first row that is left to the seal, as `embed` reports it."""
    hours: NotBelow
    samples_per_s: NotBelow
    """Rows that are left over `seconds`; 0 where none is."""
    store_bytes: Count
    """All files of the sealed store, with this target alone; exact where no row fails."""
    bytes_per_sample: NotBelow
    free_bytes: Count
    """On the disk of the store, now."""
    peak_memory_bytes: Count | None
    """Of the device; None on a CPU."""
    host_memory_bytes: Count
    """Of the process that embeds."""
    limit: Limit
    """What the rest waits for."""
    alone_samples_per_s: Mapping[str, NotBelow]
    """Teacher, decode and disk, each with nothing else at work; rows with all their views."""
    probe_rows: Count
    """The teacher has run over, for `seconds`."""
    table: list[Cost]
    """New stores of other views and dtypes, over all rows."""
    student: StudentCost | None = None
    """None in files of earlier versions, too."""
    warnings: list[str]

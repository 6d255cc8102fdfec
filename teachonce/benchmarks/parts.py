"""The JSON of single measurements, as `scripts/bench.py` prints it; `StepBench` is of a command that was removed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from teachonce.benchmarks.origin import Origin
from teachonce.benchmarks.rounds import Ratio
from teachonce.bounds import Above, Count, NotBelow, Positive
from teachonce.records import SPARSE

Plain = str | bool | int | float | None
Word = Annotated[str | None, SPARSE]
Whole = Annotated[Positive | None, SPARSE]
Number = Annotated[float | None, SPARSE]
Quotient = Annotated[Ratio | None, SPARSE]


@dataclass(frozen=True, kw_only=True)
class EmbedBench(Origin):
    """Medians over rounds in which the arms take turns; a ratio is the median of the rounds' own ratios."""

    format: Literal[1] = 1
    kind: str = "teachonce.bench-embed"
    teacher: str
    device: str
    teacher_dtype: Word = None
    """Of its weights; None in files of earlier versions, which had float32 only."""
    compute_dtype: str
    rows: Positive
    batch_size: Positive
    rounds: Positive
    threads: Positive
    """CPU threads of the forward pass."""
    stage_samples_per_s: NotBelow
    """From the first row read to the seal."""
    forward_samples_per_s: NotBelow
    """The teacher's bare forward pass over preloaded, normalised pixels, in the same batches."""
    decode_samples_per_s: NotBelow
    """The decoding alone, by the same workers, with nothing else to do."""
    ratio: Ratio
    """Throughput of stage one over that of the bare forward pass: 1 where all else is hidden behind the teacher."""
    bound: Literal["teacher", "decode"]
    """`decode` where the images cannot be decoded as fast as the teacher could take them."""


@dataclass(frozen=True, kw_only=True)
class PartArm:
    """A step of an arm: the median of its rounds."""

    step_ms: NotBelow | None
    spread_ms: NotBelow | None = None
    """Half the interquartile range."""


@dataclass(frozen=True, kw_only=True)
class RdmBench(Origin):
    """Medians over the rounds of one run, the arms taking turns; a ratio is the median of the rounds' own ratios."""

    format: Literal[1] = 1
    kind: str = "teachonce.bench-rdm"
    teacher: str
    device: str
    precision: str
    """The teacher's; RDMs compute in float32."""
    threads: Positive
    spec: Mapping[str, Plain]
    """See `RdmSpec`."""
    count: Positive
    batch_size: Positive
    teacher_batch: Positive
    rounds: Positive
    arms: Mapping[str, PartArm]
    """`together`: a step of K RDMs; `one`: a step of one; `teacher`: a forward pass of `teacher_batch` images."""
    together_over_one: Ratio
    """K together over one: what counts where launching kernels is the limit (a GPU)."""
    together_over_separate: Ratio
    """K together over K times one: what counts where arithmetic is the limit (a CPU)."""
    rows: Positive
    epochs: Positive
    rdm_s: NotBelow
    """Training K RDMs for all epochs, from the time a sample."""
    teacher_s: NotBelow
    """One pass of the teacher over the rows, from the time a sample."""
    rdm_over_teacher: Ratio
    """The one over the other."""
    rdm_macs: Count
    """Of training: forward, and twice that backward, of the linear layers and the densities."""
    teacher_macs: Count
    """Of one pass."""


@dataclass(frozen=True, kw_only=True)
class LossPart:
    """The median times of a part of a loss."""

    forward_ms: NotBelow
    backward_ms: NotBelow


@dataclass(frozen=True, kw_only=True)
class LossBench(Origin):
    """The parts of a method's loss, on targets of a temporary store."""

    format: Literal[1] = 1
    kind: str = "teachonce.bench-loss"
    method: str
    rdm: tuple[str, ...]
    student: str
    batch_size: Positive
    rounds: Positive
    loss_parts: Mapping[str, LossPart]
    """`loss` alone where the method has no parts."""


@dataclass(frozen=True, kw_only=True)
class StepBench(Origin):
    """Steps from the cache, with constant targets, by `ce` alone and with the live teacher, taking turns."""

    format: Literal[1] = 1
    kind: str = "teachonce.bench-step"
    method: Word = None
    student: Word = None
    teacher: Word = None
    device: Word = None
    precision: Word = None
    batch_size: Whole = None
    settings: Annotated[Mapping[str, Plain] | None, SPARSE] = None
    rdm: Annotated[tuple[str, ...] | None, SPARSE] = None
    rounds: Whole = None
    arms: Mapping[str, PartArm]
    teacher_ms: Number = None
    overhead_cache: Quotient = None
    overhead_loss: Quotient = None
    loss_ms: Number = None
    loss_parts: Annotated[Mapping[str, LossPart] | None, SPARSE] = None
    live_over_parts: Quotient = None
    speedup: Ratio


@dataclass(frozen=True, kw_only=True)
class MacsSaid:
    """What the paper says of a scheme."""

    text: str | None = None
    """As printed."""
    macs: Above | None = None
    ratio: Above | None = None
    """To the reference."""


@dataclass(frozen=True, kw_only=True)
class MacsCost:
    """What a way to train a student costs, in multiply-accumulates."""

    parts: Mapping[str, NotBelow]
    """Of teacher, assistants, rdm and student."""
    macs: Above
    """Their sum."""
    ratio: Number = None
    """To the reference."""


@dataclass(frozen=True, kw_only=True)
class _Named:
    name: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Scheme(MacsCost, _Named):  # the fields of the last base come first
    """One way to train a student."""

    by_paper_constants: MacsCost | None = None
    """With the paper's own numbers for its networks."""
    paper: MacsSaid | None = None
    why: str | None = None
    """Why the paper's figure differs from what is counted, or where it comes from."""


@dataclass(frozen=True, kw_only=True)
class MacsNetwork:
    """Multiply-accumulates of one sample."""

    role: str
    name: str
    macs: NotBelow
    paper: NotBelow | None = None
    """As the paper has them."""


@dataclass(frozen=True, kw_only=True)
class MacsBench(Origin):
    """Training costs, counted as in CIFD's appendix D.2."""

    format: Literal[1] = 1
    kind: str = "teachonce.bench-macs"
    preset: str
    counting: str
    """What is counted."""
    reference: str
    """The scheme that ratios are to."""
    settings: Mapping[str, int | float | tuple[Plain, ...]]
    networks: tuple[MacsNetwork, ...]
    schemes: tuple[Scheme, ...]

    def __post_init__(self) -> None:
        """The reference is a scheme."""
        if self.reference not in {scheme.name for scheme in self.schemes}:
            raise ValueError(f"reference {self.reference!r} is no scheme")

    @property
    def base(self) -> Scheme:
        """The reference."""
        return next(scheme for scheme in self.schemes if scheme.name == self.reference)

    def said(self, scheme: Scheme) -> float | None:
        """The paper's multiply-accumulates of a scheme, or those that follow from its ratio."""
        paper = scheme.paper or MacsSaid()
        return paper.macs if paper.macs is not None or paper.ratio is None else paper.ratio * self.base.macs

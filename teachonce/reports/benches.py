"""What was estimated before the teacher ran, and benchmarks of single parts."""

from collections.abc import Iterator
from dataclasses import fields

from teachonce.benchmarks.estimate.records import Estimate, StudentCost
from teachonce.benchmarks.origin import Origin
from teachonce.benchmarks.parts import EmbedBench, RdmBench, StepBench
from teachonce.records import to_json
from teachonce.reports.gather import Material
from teachonce.reports.page import Block, Facts, Section, Table, Text
from teachonce.texts import duration_text, epochs_text, measure_text, rate_text, size_text, step_text

_NAMES: dict[type[StepBench] | type[EmbedBench] | type[RdmBench], str] = {
    StepBench: "A training step",
    EmbedBench: "Stage one",
    RdmBench: "RDM training",
}
_HIDDEN = {"arms", *(field.name for field in fields(Origin))}
"""What is not shown beside the numbers."""


def estimate_section(material: Material) -> Section:
    """What was estimated before the teacher ran; empty without an estimate."""
    blocks = [block for result in material.of(Estimate) for block in _estimate(result)]
    return Section(name="estimate", title="Estimate", blocks=blocks)


def _estimate(result: Estimate) -> Iterator[Block]:
    yield Text(text=result.verdict)
    yield Facts(
        title=result.teacher,
        pairs=(
            ("rows", f"{result.rows:,}"),
            ("views", str(result.views)),
            ("dtype", result.dtype),
            ("stage one", f"{duration_text(result.seconds)}, {rate_text(result.samples_per_s)} rows/s"),
            ("store", size_text(result.store_bytes)),
            ("bottleneck", result.limit),
            ("peak memory", size_text(result.peak_memory_bytes or result.host_memory_bytes)),
            ("device", result.device),
            *_student(result.student),
        ),
    )
    yield Table(
        columns=("views", "dtype", "store", "stage one", "bottleneck"),
        rows=[
            (str(one.views), one.dtype, size_text(one.store_bytes), duration_text(one.seconds), one.limit)
            for one in result.table
        ],
        texts=(1, 4),
        caption="Other views and dtypes",
    )


def _student(student: StudentCost | None) -> tuple[tuple[str, str], ...]:
    """The student that the estimate is for."""
    if student is None:
        return ()
    return (
        ("student", f"{student.student}, {student.method}, {student.epochs} epochs"),
        ("a step from the cache", f"{step_text(student.cached_step_ms)} ms"),
        ("a step with the live teacher", f"{step_text(student.live_step_ms)} ms"),
        ("break-even", epochs_text(student.break_even_epochs)),
    )


def parts_section(material: Material) -> Section:
    """Benchmarks of single parts; empty if there are none."""
    parts = [
        (f"{name} ({bench.path.name})", bench.result)
        for kind, name in _NAMES.items()
        for bench in material.benches
        if isinstance(bench.result, kind)
    ]
    blocks = [block for title, result in parts for block in _part(title, result)]
    return Section(name="parts", title="Benchmarks of single parts", blocks=blocks)


def _part(title: str, result: EmbedBench | RdmBench | StepBench) -> Iterator[Block]:
    own = {name: value for name, value in to_json(result).items() if name not in _HIDDEN}
    yield Facts(title=title, pairs=tuple(measure_text(name, value) for name, value in own.items()))
    if not isinstance(result, EmbedBench):
        yield Table(
            columns=("arm", "ms per step", "half the interquartile range, ms"),
            rows=[(name, step_text(arm.step_ms), step_text(arm.spread_ms)) for name, arm in result.arms.items()],
            caption=title,
        )

"""What was estimated before the teacher ran, and benchmarks of single parts."""

from collections.abc import Iterator, Mapping
from typing import Any

from teachonce.reports.gather import Bench, Material
from teachonce.reports.page import Block, Facts, Section, Table, Text
from teachonce.texts import ORIGIN, duration_text, epochs_text, measure_text, rate_text, size_text, step_text

_NAMES = {"bench-step": "A training step", "bench-embed": "Stage one", "bench-rdm": "RDM training"}


def estimate_section(material: Material) -> Section | None:
    """What was estimated before the teacher ran; None without an estimate."""
    blocks = [block for bench in material.of("estimate") for block in _estimate(bench.result)]
    return Section(name="estimate", title="Estimate", blocks=tuple(blocks)) if blocks else None


def _estimate(result: Mapping[str, Any]) -> Iterator[Block]:
    yield Text(text=str(result["verdict"]))
    yield Facts(
        title=str(result["teacher"]),
        pairs=(
            ("rows", f"{result['rows']:,}"),
            ("views", str(result["views"])),
            ("dtype", str(result["dtype"])),
            ("stage one", f"{duration_text(result['seconds'])}, {rate_text(result['samples_per_s'])} rows/s"),
            ("store", size_text(result["store_bytes"])),
            ("bottleneck", str(result["limit"])),
            ("peak memory", size_text(result["peak_memory_bytes"] or result["host_memory_bytes"])),
            ("device", str(result["device"])),
            *_student(result.get("student")),
        ),
    )
    yield Table(
        columns=("views", "dtype", "store", "stage one", "bottleneck"),
        rows=tuple(
            (
                str(one["views"]),
                str(one["dtype"]),
                size_text(one["store_bytes"]),
                duration_text(one["seconds"]),
                str(one["limit"]),
            )
            for one in result["table"]
        ),
        numeric=(True, False, True, True, False),
        caption="Other views and dtypes",
    )


def _student(student: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    """The student that the estimate is for."""
    if student is None:
        return ()
    return (
        ("student", f"{student['student']}, {student['method']}, {student['epochs']} epochs"),
        ("a step from the cache", f"{step_text(student['cached_step_ms'])} ms"),
        ("a step with the live teacher", f"{step_text(student['live_step_ms'])} ms"),
        ("break-even", epochs_text(student["break_even_epochs"])),
    )


def parts_section(material: Material) -> Section | None:
    """Benchmarks of single parts; None if there are none."""
    blocks = [block for kind in _NAMES for bench in material.of(kind) for block in _part(bench)]
    return Section(name="parts", title="Benchmarks of single parts", blocks=tuple(blocks)) if blocks else None


def _part(bench: Bench) -> Iterator[Block]:
    title = f"{_NAMES[bench.kind]} ({bench.path.name})"
    own = {name: value for name, value in bench.result.items() if name not in ORIGIN and name != "arms"}
    yield Facts(title=title, pairs=tuple(measure_text(name, value) for name, value in own.items()))
    arms: Mapping[str, Mapping[str, float]] = bench.result.get("arms") or {}
    if arms:
        yield Table(
            columns=("arm", "ms per step", "half the interquartile range, ms"),
            rows=tuple((arm, step_text(one["step_ms"]), step_text(one.get("spread_ms"))) for arm, one in arms.items()),
            numeric=(False, True, True),
            caption=title,
        )

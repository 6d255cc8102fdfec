"""Results of `bench live` that are made up."""

from typing import Any

from teachonce.benchmarks.live.records import CaseResult
from teachonce.records import parse
from tests.reports.reportkit import arm, case, method_result

METHOD = "clip-embed-kd"
PARTS = {
    "data": 0.4,
    "transfer": 0.2,
    "teacher": 0.0,
    "student_forward": 6.0,
    "loss": 1.0,
    "backward": 11.0,
    "optimiser": 3.0,
}
STEPS = {"student-only": 21.0, "constant": 22.0, "cached": 22.5}
EPOCH_ROWS = 50_000


def live_case(
    name: str | None = "l32-32",
    *,
    teacher_ms: float = 80.0,
    batch: int = 64,
    precision: str = "float32",
    method: str = METHOD,
    **changed: Any,
) -> CaseResult:
    """One case with one method: what its live step takes beyond the constant one is `teacher_ms`."""
    live_ms = STEPS["constant"] + teacher_ms

    def one(ms: float, allocated: int, peak: int, teacher: float = 0.0) -> dict[str, Any]:
        own = {"epoch_s": ms / 1e3 * EPOCH_ROWS / batch, "parts_ms": PARTS | {"teacher": teacher}}
        return arm(ms, allocated, peak_memory_bytes=peak, **own)

    arms = {key: one(ms, 92_000_000, 720_000_000) for key, ms in STEPS.items()}
    arms["live"] = one(live_ms, 1_330_000_000, 2_200_000_000, max(teacher_ms, 0.0))
    found = method_result(
        speedup=live_ms / STEPS["cached"],
        memory=1330 / 92,
        live_method="clip-teacher-kd" if method == METHOD else method,
        arms=arms,
        peak_memory_ratio=2200 / 720,
        time_ceiling=live_ms / STEPS["constant"],
        memory_ceiling=14.9,
        peak_memory_ceiling=3.2,
        stage_one_s=78.0,
    )
    value = case({method: found | changed}, case=name, device="NVIDIA H200", batch_size=batch, precision=precision)
    return parse(CaseResult, value, "it", mend="")


def many_cases() -> list[CaseResult]:
    """A sweep over teachers, batch sizes and precisions."""
    return [
        live_case(name, teacher_ms=ms * factor, batch=batch, precision=precision)
        for name, factor in (("l32-32", 1.0), ("l16-64", 3.0), ("b16-32", 0.8))
        for precision in ("float32", "bf16")
        for batch, ms in ((8, 60.0), (64, 90.0), (256, 160.0))
    ]

"""Results of `bench live` that are made up."""

from typing import Any

from teachonce.benchmarks.live.records import ArmResult, Arms, CaseResult, MethodResult, Quartiles

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


def arm(step_ms: float, allocated: int, peak: int, batch: int, **parts: float) -> ArmResult:
    return ArmResult(
        step_ms=step_ms,
        spread=Quartiles(low=0.95 * step_ms, high=1.06 * step_ms),
        epoch_s=step_ms / 1e3 * EPOCH_ROWS / batch,
        allocated_bytes=allocated,
        peak_memory_bytes=peak,
        parts_ms=PARTS | parts,
    )


def live_case(
    name: str | None = "l32-32",
    *,
    teacher_ms: float = 80.0,
    batch: int = 64,
    precision: str = "float32",
    compiled: bool = False,
    method: str = METHOD,
    **changed: Any,
) -> CaseResult:
    """One case with one method: what its live step takes beyond the constant one is `teacher_ms`."""
    live_ms = STEPS["constant"] + teacher_ms
    arms = {key.replace("-", "_"): arm(ms, 92_000_000, 720_000_000, batch) for key, ms in STEPS.items()}
    arms["live"] = arm(live_ms, 1_330_000_000, 2_200_000_000, batch, teacher=max(teacher_ms, 0.0))
    speedup = live_ms / STEPS["cached"]
    found: dict[str, Any] = {
        "live_method": "clip-teacher-kd" if method == METHOD else method,
        "arms": Arms(**arms),
        "speedup": speedup,
        "spread": {"speedup": (0.97 * speedup, 1.02 * speedup)},
        "memory_ratio": 1330 / 92,
        "peak_memory_ratio": 2200 / 720,
        "time_ceiling": live_ms / STEPS["constant"],
        "memory_ceiling": 14.9,
        "peak_memory_ceiling": 3.2,
        "stage_one_s": 78.0,
        "store_bytes": 10**7,
        "break_even_epochs": 2.0,
        "pays": "cached",
        "verdict": "The cache is better.",
    }
    return CaseResult(
        case=name,
        teacher="vit:patch=32,width=1024,layers=24,heads=16,size=224",
        student="vit:patch=4,width=256,layers=6,heads=8",
        device="NVIDIA H200",
        batch_size=batch,
        precision=precision,
        compile=compiled,
        epochs=200,
        methods={method: MethodResult(**(found | changed))},
    )


def many_cases() -> list[CaseResult]:
    """A sweep over teachers, batch sizes and precisions."""
    return [
        live_case(name, teacher_ms=ms * factor, batch=batch, precision=precision)
        for name, factor in (("l32-32", 1.0), ("l16-64", 3.0), ("b16-32", 0.8))
        for precision in ("float32", "bf16")
        for batch, ms in ((8, 60.0), (64, 90.0), (256, 160.0))
    ]

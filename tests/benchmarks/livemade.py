"""Measurements of a case made by hand, in the place of processes."""

import os
from collections.abc import Mapping
from typing import Any

from teachonce.benchmarks.live.arm import ArmSpec, Memory, Ready
from teachonce.benchmarks.live.conduct import Key, Measured
from teachonce.benchmarks.live.records import StageOneResult
from teachonce.benchmarks.live.stage_one import StageOne

STEP_MS = {"student-only": 10.0, "constant": 11.0, "cached": 11.0, "live": 44.0}
PARTS = {"data": 1.0, "transfer": 0.5, "teacher": 0.0, "student_forward": 4.0}
PARTS |= {"loss": 0.5, "backward": 4.0, "optimiser": 1.0}


def stage_one(rows: int = 128, **rdms: Any) -> StageOne:
    found = StageOneResult(rows=rows, seconds=2.0, samples_per_s=64.0, bytes_per_sample=500)
    return StageOne(found=found, teacher_image_size=224, **rdms)


def ready(key: Key) -> Ready:
    return Ready(
        device="cpu",
        precision="float32",
        threads=1,
        rows=128,
        steps_per_epoch=16,
        image_size=32,
        teacher_image_size=224 if key.kind == "live" else None,
        parameter_bytes=30,
        gradient_bytes=30,
        optimiser_bytes=60,
        teacher_bytes=800 if key.kind == "live" else 0,
        image_bytes=10,
        images="device",
        target_bytes=0,
        targets="none",
        host_budget_bytes=10**9,
        device_budget_bytes=10**9,
        reports_energy=False,
        keeps_freed=True,
    )


def memory(key: Key) -> Memory:
    held = 900 if key.kind == "live" else 100
    return Memory(
        meter="tensors",
        allocated_bytes=held,
        workspace_bytes=0,
        peak_memory_bytes=held + 300,
        teacher_peak_bytes=50 if key.kind == "live" else None,
        host_memory_bytes=5_000,
    )


def measured(specs: Mapping[Key, ArmSpec], *, rounds: int, teacher_ms: float = 33.0, **_: Any) -> Measured:
    """As `conduct`; every round is like the first."""
    return Measured(
        times={key: [STEP_MS[key.kind]] * rounds for key in specs},
        teacher={key: [teacher_ms] * rounds for key in specs if key.kind == "live"},
        steps=dict.fromkeys(specs, 5),
        parts=dict.fromkeys(specs, PARTS),
        memory={key: memory(key) for key in specs},
        ready={key: ready(key) for key in specs},
        energy=dict.fromkeys(specs, None),
    )


def gone(**_: Any) -> None:
    """A teacher's factory that takes its process with it."""
    os._exit(3)

"""What the cache costs before the first student: the teacher's pass, and the training of RDMs, into a real store."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from teachonce.benchmarks.live.apart import run_apart
from teachonce.benchmarks.live.data import DataSpec
from teachonce.cache.describe import describe
from teachonce.engine.device import peak_memory_bytes, pick_device, reset_peak
from teachonce.engine.rdm.names import rdm_name
from teachonce.events import SILENT, Events
from teachonce.models.rdm import Preset
from teachonce.models.teacher import load_teacher
from teachonce.stages.embed import embed
from teachonce.stages.rdm import rdm

_RDM_BATCH = 256
_RDM_STEPS = 32  # at least so many are timed


@dataclass(frozen=True, kw_only=True)
class StageSpec:
    """What is run, by the stages themselves."""

    teacher: str
    data: DataSpec
    store: Path
    device: str
    precision: str
    distortion_weight: tuple[float, ...] = ()
    """Of RDMs; none: no RDM is trained."""
    rdm_preset: Preset = "general"
    threads: int | None = None
    workers: int | None = None


@dataclass(frozen=True, kw_only=True)
class StageOne:
    """What it took, and what is there now."""

    rows: int
    seconds: float
    """From the first row read to the seal, the disk included."""
    samples_per_s: float
    bytes_per_sample: int
    """Of the store, without RDMs."""
    peak_memory_bytes: int | None
    """Of the device; None on a CPU."""
    teacher_image_size: int
    """Pixels a side."""
    rdm: tuple[str, ...] = ()
    """Targets of the RDMs."""
    rdm_samples_per_s: float | None = None
    """Samples of an epoch that trains all RDMs, a second; writing their outputs is not in it. None without RDMs."""
    rdm_bytes_per_sample: int = 0
    """Of the RDMs' targets."""


def measure_stage_one(spec: StageSpec, events: Events) -> StageOne:
    """Make the store in a process of its own, and say what that took.

    Raises:
        TeachonceError: As `embed` and `rdm`; or the process died.
    """
    return run_apart(partial(_stage_one, spec), events, "stage one")


def _stage_one(spec: StageSpec, events: Events) -> StageOne:
    if spec.threads is not None:
        torch.set_num_threads(spec.threads)
    samples, device = spec.data.open(), pick_device(spec.device)
    # without a seed: a teacher of random weights then is the one that the live arm loads
    teacher = load_teacher(spec.teacher, classes=samples.classes)
    reset_peak(device)
    done = embed(
        teacher=teacher,
        data=samples,
        store=spec.store,
        device=spec.device,
        precision=spec.precision,
        workers=spec.workers,
        events=events,
    )
    peak = peak_memory_bytes(device)
    size = describe(spec.store)["bytes_per_sample"]
    names, rate = _rdms(spec, samples.rows, events) if spec.distortion_weight else ((), None)
    targets = describe(spec.store)["targets"]
    return StageOne(
        rows=done.rows,
        seconds=done.seconds,
        samples_per_s=done.samples_per_s,
        bytes_per_sample=size,
        peak_memory_bytes=peak,
        teacher_image_size=teacher.info.input.height,
        rdm=names,
        rdm_samples_per_s=rate,
        rdm_bytes_per_sample=sum(targets[name]["bytes_per_sample"] for name in names),
    )


def _rdms(spec: StageSpec, rows: int, events: Events) -> tuple[tuple[str, ...], float]:
    """Train them, after others that nobody reads: the first steps of a process are no measure."""
    weights, batch = spec.distortion_weight, min(_RDM_BATCH, max(1, rows // 2))
    others = [max(weights) * (2 + index) for index in range(len(weights))]
    _train_rdms(spec, others, batch, epochs=1, events=SILENT)
    rate = _train_rdms(spec, weights, batch, epochs=math.ceil(_RDM_STEPS * batch / rows), events=events)
    return tuple(rdm_name(weight) for weight in weights), rate


def _train_rdms(spec: StageSpec, weights: Sequence[float], batch: int, *, epochs: int, events: Events) -> float:
    done = rdm(
        store=spec.store,
        distortion_weight=weights,
        preset=spec.rdm_preset,
        epochs=epochs,
        batch_size=batch,
        device=spec.device,
        events=events,
    )
    return done.samples_per_s

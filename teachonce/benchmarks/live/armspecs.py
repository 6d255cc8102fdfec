"""The arms of a combination: the same training, by how it comes by its targets."""

from dataclasses import replace
from pathlib import Path

from teachonce.benchmarks.live.arm import ARMS, ArmSpec
from teachonce.benchmarks.live.cases import Combination, Request
from teachonce.benchmarks.live.conduct import Key
from teachonce.benchmarks.live.result import key_of
from teachonce.benchmarks.live.stage_one import StageOne
from teachonce.options.methods import takes
from teachonce.options.train import TrainOptions

STORE = "bench.zarr"


def arm_specs(request: Request, combination: Combination, stage: StageOne, folder: Path) -> dict[Key, ArmSpec]:
    """The arms of a combination: one student alone, and live arms that methods share are one."""
    keys = dict.fromkeys(key_of(kind, method) for method in request.methods for kind in ARMS)
    return {key: _arm_spec(key, request, combination, stage, folder) for key in keys}


def _arm_spec(key: Key, request: Request, combination: Combination, stage: StageOne, folder: Path) -> ArmSpec:
    config = TrainOptions(
        data=request.data.data,
        student=combination.case.student,
        out=folder / "run",
        method=key.method,
        settings=request.settings,
        store=folder / STORE,
        rdm=stage.rdm if takes(key.method) == "rdm" else (),
        teacher=combination.case.teacher,
        teacher_dtype=combination.teacher_dtype,
        epochs=request.epochs,
        batch_size=combination.batch_size,
        precision=combination.precision,
        tf32=request.tf32,
        compile=combination.compile,
        image_size=combination.case.image_size,
        val_fraction=0.0,
        seed=request.seed,
        device=request.device,
        workers=request.workers,
        trust_remote_code=request.trust_remote_code,
    )
    if key.kind == "live":
        config = replace(config, source="live")
    data = replace(request.data, limit=stage.found.rows)
    return ArmSpec(kind=key.kind, config=config, data=data, epoch_rows=request.epoch_rows, threads=request.threads)

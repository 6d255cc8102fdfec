"""Where the time of a method's loss goes: each part forward and backward, on a student's outputs that are there."""

import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor

from teachonce.benchmarks.live.data import DataSpec
from teachonce.benchmarks.origin import origin
from teachonce.benchmarks.parts import LossBench, LossPart
from teachonce.benchmarks.rounds import wait
from teachonce.cache import open_store
from teachonce.engine.feed import Batch
from teachonce.engine.rdm.names import rdm_name
from teachonce.engine.rows import all_digests
from teachonce.engine.session import open_session
from teachonce.engine.settings import check_training
from teachonce.engine.step import Stepper
from teachonce.errors import InputError
from teachonce.events import SILENT
from teachonce.methods.base import make_method
from teachonce.methods.method import Part
from teachonce.methods.tensors import precise
from teachonce.options.train import TrainOptions
from teachonce.processwide import allow_tf32
from teachonce.stages.embed import embed
from teachonce.stages.rdm import rdm

WARM_UP = 3  # rounds that are not counted


@allow_tf32(allowed=False)
def bench_loss(  # noqa: PLR0913 - one parameter an option
    *,
    teacher: str,
    data: str,
    student: str,
    method: str = "kd",
    distortion_weight: list[float] | None = None,
    batch_size: int = 128,
    rounds: int = 30,
    limit: int | None = None,
    device: str | None = None,
    workers: int | None = None,
) -> LossBench:
    """Time the parts of a method's loss, on targets of a temporary store.

    Args:
        teacher: See `embed`.
        data: See `DataSpec`.
        student: See `train`.
        method: See `train`; its settings are the defaults.
        distortion_weight: For cifd: an RDM is trained for each, one epoch: how good it is makes no difference here.
        batch_size: Rows of a step.
        rounds: Rounds that count.
        limit: The first so many rows.
        device: See `embed`.
        workers: Workers that decode.

    Raises:
        InputError: A setting that cannot be used.
        TeachonceError: As `embed`, `rdm` and `train`.
    """
    if rounds < 1:
        raise InputError(f"rounds must be at least 1, got {rounds}", "Use 30, for example")
    weights = distortion_weight or []
    make_method(method, extras=[rdm_name(weight) for weight in weights])  # refused before the teacher runs
    samples = DataSpec(data=data, limit=limit).open()
    with tempfile.TemporaryDirectory(prefix="teachonce-bench-") as folder:
        path = Path(folder) / "bench.zarr"
        embed(teacher=teacher, data=samples, store=path, device=device, workers=workers)
        if weights:
            rdm(store=path, distortion_weight=weights, epochs=1, batch_size=batch_size, device=device)
        config = TrainOptions(
            data=data,
            student=student,
            out=Path(folder) / "run",
            method=method,
            store=path,
            rdm=tuple(map(rdm_name, weights)),
            batch_size=batch_size,
            device=device,
            workers=workers,
        )
        check_training(config)
        session = open_session(config, samples, open_store(path), digests=all_digests(samples, SILENT))
        batch = next(iter(session.feed.batches(session.loop.batches(0), 0)))
        parts = loss_parts(session.stepper, batch, rounds, session.device)
    return LossBench(
        **vars(origin(LossBench.kind, session.device)),
        method=method,
        rdm=config.rdm,
        student=student,
        batch_size=batch_size,
        rounds=rounds,
        loss_parts=parts,
    )


def loss_parts(stepper: Stepper, batch: Batch, rounds: int, device: torch.device) -> dict[str, LossPart]:
    """The median times of each part of a method's loss.

    A projector's own is told apart, and is within the part that uses it. What is not here is the noise, the weighted
    sum, and the update of what trains beside the student.

    Args:
        stepper: Of the training.
        batch: Its targets are fetched once.
        rounds: Rounds that count.
        device: Where it computes.

    Returns:
        By part; `loss` alone where the method has no parts.
    """
    targets = stepper.source.fetch(batch.rows, 0, batch.teacher)
    with torch.no_grad(), stepper.autocast():
        given = stepper.student.outputs(batch.inputs)
    out = {name: value.float().requires_grad_() for name, value in given.items()}
    parts = stepper.method.parts(out, targets, batch.inputs, 0)
    if not parts:
        parts = {"loss": lambda: stepper.method(out, targets, batch.inputs, 0)}
    elif "projector" in dict(stepper.method.modules.named_children()):  # such methods project the student's embedding
        projector = stepper.method.modules.get_submodule("projector")
        parts["projector"] = lambda: {"projector": projector(out["image_embedding"]).sum()}
    with precise(out["logits"]):
        return {name: _timed(part, rounds, device) for name, part in parts.items()}


def _timed(part: Part, rounds: int, device: torch.device) -> LossPart:
    forth: list[float] = []
    back: list[float] = []
    for index in range(rounds + WARM_UP):
        wait(device)
        began = time.perf_counter()
        loss: Tensor = torch.stack(list(part().values())).sum()
        wait(device)
        middle = time.perf_counter()
        loss.backward()  # type: ignore[no-untyped-call]
        wait(device)
        if index >= WARM_UP:
            forth.append(1e3 * (middle - began))
            back.append(1e3 * (time.perf_counter() - middle))
    return LossPart(forward_ms=statistics.median(forth), backward_ms=statistics.median(back))

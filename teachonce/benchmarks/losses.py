"""Where the time of a method's loss goes: each part forward and backward, on a student's outputs that are there."""

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from teachonce.engine.feed import Batch
from teachonce.engine.step import Stepper
from teachonce.methods.method import Part, precise
from teachonce.methods.targets import StudentOut

WARM_UP = 3  # rounds that are not counted


def loss_parts(stepper: Stepper, batch: Batch, rounds: int, wait: Callable[[], None]) -> dict[str, dict[str, float]]:
    """The median times of each part of a method's loss.

    A projector's own is told apart, and is within the part that uses it. What is not here is the noise, the weighted
    sum, and the update of what trains beside the student.

    Args:
        stepper: Of the training.
        batch: Its targets are fetched once.
        rounds: Rounds that count.
        wait: For the device.

    Returns:
        Part -> `forward_ms` and `backward_ms`; `loss` alone where the method has no parts.
    """
    targets = stepper.source.fetch(batch.rows, 0, batch.teacher_images)
    with torch.no_grad(), stepper.autocast():
        embedding, logits = stepper.student(batch.images)
    out = StudentOut(embedding=embedding.float().requires_grad_(), logits=logits.float().requires_grad_())
    parts = stepper.method.parts(out, targets, batch.labels)
    if not parts:
        parts = {"loss": lambda: stepper.method(out, targets, batch.labels, 0)}
    elif "projector" in dict(stepper.method.modules.named_children()):  # such methods project the student's embedding
        projector = stepper.method.modules.get_submodule("projector")
        parts["projector"] = lambda: {"projector": projector(out.embedding).sum()}
    with precise(logits):
        return {name: _timed(part, rounds, wait) for name, part in parts.items()}


def _timed(part: Part, rounds: int, wait: Callable[[], None]) -> dict[str, float]:
    forth: list[float] = []
    back: list[float] = []
    for index in range(rounds + WARM_UP):
        wait()
        began = time.perf_counter()
        loss: Tensor = torch.stack(list(part().values())).sum()
        wait()
        middle = time.perf_counter()
        loss.backward()  # type: ignore[no-untyped-call]
        wait()
        if index >= WARM_UP:
            forth.append(1e3 * (middle - began))
            back.append(1e3 * (time.perf_counter() - middle))
    return {"forward_ms": statistics.median(forth), "backward_ms": statistics.median(back)}

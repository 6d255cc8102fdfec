"""One optimiser step: targets, forward, loss, backward, clip, update. The same for every method and source."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from teachonce.engine.device import Autocast
from teachonce.engine.feed import Batch
from teachonce.engine.optim import make_optimizer, set_rate
from teachonce.engine.targets import TargetSource
from teachonce.errors import ModelError
from teachonce.methods.method import Method, total
from teachonce.methods.targets import Inputs
from teachonce.models.student import Student
from teachonce.options.optim import OptimOptions
from teachonce.processwide import evaluating
from teachonce.types import Probe

Losses = tuple[dict[str, Tensor], Tensor]


class Stepper:
    """Trains a student, and what the method trains beside it.

    Args:
        student: On the device, in train mode.
        method: Built; its modules are on the device.
        source: Where targets come from; another may be put in its place between steps.
        autocast: The context of the forward and of the loss.
        optim: How weights move.
        rate: The learning rate of a step, from the number of steps done before it.
        compile: Compile the student with torch.compile.
        cuda_graphs: Compile it into CUDA graphs.
    """

    def __init__(
        self,
        student: Student,
        method: Method,
        source: TargetSource,
        autocast: Autocast,
        optim: OptimOptions,
        *,
        rate: Callable[[int], float],
        compile: bool = False,
        cuda_graphs: bool = False,
    ) -> None:
        self.student, self.method, self.source, self.autocast = student, method, source, autocast
        self.optim, self._schedule = optim, rate
        self.optimizer = make_optimizer(optim, (student, method.modules))
        self.done = 0
        """Optimiser steps done."""
        self.rate = 0.0
        """The learning rate of the last step."""
        self.probe: Probe | None = None
        """Hears the name of each part of a step as it has been submitted; see `teachonce.engine.probe`."""
        self._graphs = cuda_graphs
        self._is_new = compile or cuda_graphs
        path = Path(student, method.bottleneck)
        self._forward: Callable[..., Any] = _compiled(path, cuda_graphs) if self._is_new else path

    def step(self, batch: Batch, view: int) -> Losses:
        """Train on one batch; nothing here waits for the device.

        Returns:
            The unweighted terms and the weighted loss: scalars on the device, valid until the next step.
        """
        if self._is_new:
            with _compile_errors():
                return self._step(batch, view)
        return self._step(batch, view)

    def _step(self, batch: Batch, view: int) -> Losses:
        terms, loss = self.losses(batch, view, self._noise(len(batch.rows.host)))
        self._past("loss")
        loss.backward()  # type: ignore[no-untyped-call]
        self._past("backward")
        self._update()
        self._past("optimiser")
        self._is_new = False
        return terms, loss

    def _noise(self, rows: int) -> Tensor | None:
        """Of the bottleneck, (rows, D); None without one. It is drawn outside of what is compiled."""
        if self.method.bottleneck is None:
            return None
        shape, device = (rows, self.student.embedding_dim), next(self.student.parameters()).device
        return self.method.draws.uniform(shape, step=self.done, purpose="bottleneck", device=device)

    def losses(self, batch: Batch, view: int, noise: Tensor | None) -> Losses:
        """The terms and the weighted loss of a batch, before anything is updated."""
        targets = self.source.fetch(batch.rows, view, batch.teacher)
        self._past("targets")
        if self._graphs:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        with self.autocast():
            out = self._forward(batch.inputs, noise)
            self._past("student_forward")
            terms = self.method(out, targets, batch.inputs, self.done)
            return terms, total(terms, self.method.weights)

    @contextmanager
    def evaluated(self) -> Iterator[None]:
        """The body computes without dropout, of the student and of the method."""
        with evaluating(self.student), evaluating(self.method.modules):
            yield

    def _past(self, part: str) -> None:
        if self.probe is not None:
            self.probe(part)

    def _update(self) -> None:
        if self.optim.clip_norm is not None:
            parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
            nn.utils.clip_grad_norm_(parameters, self.optim.clip_norm)
        self.rate = self._schedule(self.done)
        set_rate(self.optimizer, self.rate)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.done += 1

    def finite(self) -> bool:
        """Whether all weights are finite; waits for the device."""
        checks = [p.detach().isfinite().all() for module in self.modules for p in module.parameters()]
        return bool(torch.stack(checks).all())

    @property
    def modules(self) -> tuple[nn.Module, nn.Module]:
        """All that is trained."""
        return self.student, self.method.modules


class Path(nn.Module):
    """From inputs to a student's outputs in training, perhaps with a bottleneck between its backbone and its head.

    Args:
        student: The student; validation uses it alone.
        bottleneck: Such as the IBM of CIFD; None for none.
    """

    def __init__(self, student: Student, bottleneck: nn.Module | None) -> None:
        super().__init__()
        self.student, self.bottleneck = student, bottleneck

    def forward(self, inputs: Inputs, noise: Tensor | None) -> dict[str, Tensor]:
        """See Student.outputs."""
        return self.student.outputs(inputs, self.bottleneck, noise)


@contextmanager
def _compile_errors() -> Iterator[None]:
    """Turn what torch.compile cannot do into one line.

    Raises:
        ModelError: In the place of any error of the compiler.
    """
    from torch._dynamo.exc import TorchDynamoException

    try:
        yield
    except TorchDynamoException as error:
        first = str(error).strip().splitlines()[0]
        raise ModelError(f"torch.compile failed: {first}", "Leave --compile and --cuda-graphs out") from error


def _compiled(network: nn.Module, cuda_graphs: bool) -> Callable[..., Any]:
    compiled: Callable[..., Any] = torch.compile(network, mode="reduce-overhead" if cuda_graphs else None)
    return compiled

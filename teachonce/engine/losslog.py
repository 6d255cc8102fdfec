"""Losses kept on the device: written every step without waiting, read at intervals."""

import time

import torch
from torch import Tensor

from teachonce.errors import NonFiniteError
from teachonce.events import Task

MEND = "Lower --lr, add --warmup-epochs or --clip-norm, or use --precision float32, in another --out"
_STEPS = 50  # between two looks at the losses
_SECONDS = 1.0  # or so long, where steps are slow


class LossLog:
    """The terms of every step of one epoch.

    Args:
        names: The terms, in order.
        steps: Steps of an epoch.
        device: Where the losses are.
        mend: What to do where they are not finite.
    """

    def __init__(self, names: list[str], steps: int, device: torch.device, mend: str = MEND) -> None:
        self.names, self._mend = names, mend
        self._values = torch.zeros(steps, len(names) + 1, device=device)
        self._rows = self._values.unbind(0)
        self._count = self._checked = 0
        self._looked = time.perf_counter()

    @property
    def is_due(self) -> bool:
        """Whether it is time for a look."""
        return self._count % _STEPS == 0 or time.perf_counter() - self._looked > _SECONDS

    def put(self, values: Tensor) -> None:
        """Keep the terms, in the order of their names, and the loss after them, of the next step: (names + 1,)."""
        self._rows[self._count].copy_(values.detach())
        self._count += 1

    def show(self, task: Task, epoch: int, first_step: int) -> None:
        """Check the steps since the last look, and show how far an epoch (from 1) is; see `check`."""
        if steps := self._count - self._checked:
            task.note(f"epoch {epoch}, loss {self.check(epoch, first_step):.4g}")
            task.advance(steps)

    def check(self, epoch: int, first_step: int) -> float:
        """Look at what came since the last look; this waits for the device.

        Args:
            epoch: The epoch, from 1, for the message.
            first_step: Steps done before this epoch.

        Returns:
            The last weighted loss.

        Raises:
            NonFiniteError: Names the first step whose loss is NaN or infinite.
        """
        values = self._values[self._checked : self._count].cpu()
        bad = torch.nonzero(~values.isfinite().all(1))
        if len(bad):
            index = int(bad[0])
            step = first_step + self._checked + index + 1
            shown = ", ".join(f"{n} {v:g}" for n, v in zip([*self.names, "loss"], values[index].tolist(), strict=True))
            message = f"the loss is not finite at step {step} (epoch {epoch}): {shown}; the last good weights are kept"
            raise NonFiniteError(message, self._mend)
        self._checked, self._looked = self._count, time.perf_counter()
        return float(values[-1, -1]) if len(values) else float("nan")

    def finish(self) -> dict[str, float]:
        """The means over the epoch, `loss` and `loss_TERM`; then it begins anew."""
        means = self._values[: self._count].double().mean(0).tolist()
        self._count = self._checked = 0
        return {"loss": means[-1], **{f"loss_{name}": value for name, value in zip(self.names, means, strict=False)}}

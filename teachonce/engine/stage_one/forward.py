"""The teacher's forward pass over one batch: rendered, run, cast to the stored dtype, on its way to the host."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from teachonce.data.packed import Packed
from teachonce.data.render import normalise
from teachonce.data.transfer import Transfer
from teachonce.engine.device import Precision, autocast, teacher_precision
from teachonce.errors import ModelError, NonFiniteError, is_out_of_memory
from teachonce.models import Signals, Teacher
from teachonce.types import ArraySpec, Resizing

TORCH_DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}
_WIDER = {"float16": "--dtype bfloat16 or --dtype float32", "bfloat16": "--dtype float32", "float32": "another teacher"}


@dataclass(frozen=True, kw_only=True)
class Images:
    """Decoded images of one batch, on the host, pinned where the device is a GPU."""

    packed: Packed
    params: NDArray[np.float32]
    """(B, V, 6) the views of each."""


def array_specs(teacher: Teacher, dtype: str) -> dict[str, ArraySpec]:
    """The arrays that a teacher fills, one a signal, with the shape of one row."""
    return {name: ArraySpec(shape=(width,), dtype=dtype) for name, width in teacher.widths().items()}


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What comes back from the device for one view of a batch; read it after `wait`."""

    arrays: Mapping[str, Tensor]
    """Each (B, D) in the stored dtype, on the host."""
    largest: Mapping[str, Tensor]
    """Each (B,) float32 on the host: the largest absolute value of a row before the cast; NaN where one is NaN."""
    event: torch.cuda.Event | None

    def wait(self) -> None:
        """Wait until the copies have arrived."""
        if self.event is not None:
            self.event.synchronize()

    def check(self, rows: NDArray[np.int64], dtype: str) -> None:
        """Refuse what cannot be stored.

        Args:
            rows: (B,) the rows of the dataset, for the message.
            dtype: The stored dtype.

        Raises:
            NonFiniteError: A row is NaN or infinite, or would be in the stored dtype.
        """
        for name, largest in self.largest.items():
            cast = largest.to(TORCH_DTYPES[dtype])
            if bool(torch.isfinite(cast).all()):
                continue
            bad = int(torch.nonzero(~torch.isfinite(cast))[0])
            raise _not_finite(name.replace("_", " "), int(rows[bad]), float(largest[bad]), dtype)


def _not_finite(what: str, row: int, largest: float, dtype: str) -> NonFiniteError:
    if not np.isfinite(largest):
        return NonFiniteError(
            f"the teacher's {what} of row {row} holds {'NaN' if np.isnan(largest) else 'infinity'}",
            "Check the teacher's weights and that row's image; with bf16 try float32, with --teacher-dtype fp16 bf16",
        )
    return NonFiniteError(
        f"the teacher's {what} of row {row} reaches {largest:.6g}, which is infinity in {dtype}",
        f"Use {_WIDER[dtype]}, with another store or --name",
    )


class Forward:
    """Runs batches through a teacher without ever waiting for its device.

    Images go up on a stream of their own, so that a copy overlaps the batch before it; outputs come down into pinned
    memory; both are waited for by events only.

    Args:
        teacher: In eval mode, on `device`.
        device: Where it runs.
        dtype: The stored dtype.
        compute_dtype: "bfloat16" (of float32 weights by autocast), "float32" or "float16"; see `pick_compute_dtype`.
        rule: How views are resized: the store's; None: as the installed Pillow does.
    """

    def __init__(
        self, teacher: Teacher, *, device: torch.device, dtype: str, compute_dtype: str, rule: Resizing | None = None
    ) -> None:
        self._teacher, self._rule = teacher, rule
        self._device = device
        self._dtype = TORCH_DTYPES[dtype]
        precision: Precision = "bf16" if compute_dtype == "bfloat16" else "float32"
        self._autocast = partial(autocast, device, teacher_precision(precision, teacher.info.dtype))
        self._up = Transfer(device)
        self._widths = teacher.widths()

    @torch.inference_mode()
    def __call__(self, images: Images) -> list[Outputs]:
        """Begin one batch, view by view; on a GPU it is under way when this returns.

        Raises:
            ModelError: The teacher's outputs have other shapes than it says, or the device's memory is too small.
        """
        try:
            lifted = images.packed.at(self._up.bring(images.packed.pixels))
            return [self._view(lifted, images.params[:, view]) for view in range(images.params.shape[1])]
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            batch, why = f"batches of {len(images.params)} images", " ".join(str(error).split())[:120]
            mend = "Use a smaller --batch-size"
            raise ModelError(f"{self._device} has too little memory for {batch}: {why}", mend) from error

    def _view(self, images: Packed, params: NDArray[np.float32]) -> Outputs:
        given = self._teacher.info.input
        signals = self.signals(normalise(images.draw(params, given, self._rule), given))
        outputs = {name: signals[name] for name in self._widths if name in signals}
        self._check_shapes(outputs, len(params))
        full = {name: value.float() for name, value in outputs.items()}
        arrays = {name: self._down(value.to(self._dtype)) for name, value in full.items()}
        largest = {name: self._down(value.abs().amax(dim=1)) for name, value in full.items()}
        event = None
        if self._device.type == "cuda":
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record(torch.cuda.current_stream(self._device))
        return Outputs(arrays=arrays, largest=largest, event=event)

    def signals(self, pixels: Tensor) -> Signals:
        """The teacher's outputs for (B, 3, h, w) float32 pixels on the device."""
        with torch.inference_mode(), self._autocast():
            signals: Signals = self._teacher(pixels)
        return signals

    def _down(self, value: Tensor) -> Tensor:
        if self._device.type != "cuda":
            return value
        host = torch.empty(value.shape, dtype=value.dtype, pin_memory=True)
        return host.copy_(value, non_blocking=True)

    def _check_shapes(self, outputs: Mapping[str, Tensor], count: int) -> None:
        for name, width in self._widths.items():
            got = tuple(outputs[name].shape) if name in outputs else None
            if got != (count, width):
                raise ModelError(
                    f"the teacher declares its {name.replace('_', ' ')} as {width} wide, a batch of {count} gave {got}",
                    "Correct the teacher's embedding_dim or classes",
                )


def as_stored(value: Tensor) -> NDArray[Any]:
    """A host tensor as NumPy, without a copy; bfloat16 as its uint16 bits."""
    return (value.view(torch.uint16) if value.dtype is torch.bfloat16 else value).numpy()

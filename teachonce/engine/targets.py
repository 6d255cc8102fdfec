"""The one interface between the loop and what a student is pulled toward, wherever that comes from."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from teachonce.methods.targets import NO_TARGETS, Targets
from teachonce.types import InputSpec, TargetSpec


class BatchRows(NamedTuple):
    """The rows of a batch, where NumPy and where the device can use them; both (B,) int64 and equal."""

    host: NDArray[np.int64]
    device: Tensor


def on_device(batches: Sequence[NDArray[np.int64]], device: torch.device) -> list[BatchRows]:
    """The rows of batches, at least one, on the host and on the device; one copy for all of them."""
    flat = torch.from_numpy(np.concatenate(batches)).to(device)
    return [BatchRows(*both) for both in zip(batches, torch.split(flat, [len(rows) for rows in batches]), strict=True)]


class TargetSource:
    """Gives the targets of batches. A source overrides `fetch`; the rest is there for those that need it.

    Attributes:
        specs: What it offers to a method: of each target by name, the main one first.
        input: The images that `fetch` must be given, or None when it looks at no image.
        usable: (N,) bool, the rows that have targets; None where all have.
        networks: The frozen networks that `fetch` runs, the teacher first.
    """

    specs: Mapping[str, TargetSpec] = MappingProxyType({})
    input: InputSpec | None = None
    usable: NDArray[np.bool_] | None = None
    networks: tuple[nn.Module, ...] = ()

    @property
    def kept_bytes(self) -> int:
        """Bytes of targets that are kept on the device."""
        return 0

    @property
    def ahead(self) -> int:
        """Batches that are read before they are fetched, at most."""
        return 0

    def fetch(self, rows: BatchRows, view: int, images: Tensor | None) -> Targets:
        """The targets of a batch, on the device.

        Args:
            rows: Which samples.
            view: Which view of the store, from 0.
            images: (B, 3, h, w) float32, that view as `input` asks for it; None when `input` is.

        Returns:
            Targets of B rows in this order, detached; only what the method needs.
        """
        raise NotImplementedError

    def plan(self, batches: Sequence[NDArray[np.int64]], view: int) -> None:
        """Hear which batches will be fetched next, in order, so that they can be read ahead."""

    @property
    def checks_behind(self) -> bool:
        """Whether rows are given out before they are checked; see `settle`."""
        return False

    def settle(self) -> int:
        """Check what was read before it was checked.

        Returns:
            How many rows that were; 0 where everything is checked first.

        Raises:
            CorruptError: Some of it is not what was sealed.
        """
        return 0

    def close(self) -> None:
        """Let go of threads and files."""


class NoTargets(TargetSource):
    """For methods that need no teacher."""

    def fetch(self, rows: BatchRows, view: int, images: Tensor | None) -> Targets:
        """See TargetSource.fetch."""
        return NO_TARGETS

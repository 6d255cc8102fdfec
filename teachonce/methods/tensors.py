"""What losses are computed with: float32 at least, teacher tensors without a gradient.

Letters, in all methods: B batch, C classes, K sources, D width of the student's embedding, Dt of the teacher's.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor
from torch.nn import functional as F


def widen(tensor: Tensor) -> Tensor:
    """In float32; float64 is kept."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def precise(tensor: Tensor) -> AbstractContextManager[None]:
    """Without autocast: losses and projections are computed in float32 on every device."""
    return torch.autocast(tensor.device.type, enabled=False)


def cosines(left: Tensor, right: Tensor) -> Tensor:
    """Cosine similarities (B, M) of the rows of (B, D) and (M, D)."""
    return F.normalize(widen(left), dim=1) @ F.normalize(widen(right), dim=1).T


def stacked(sources: Sequence[Tensor]) -> Tensor:
    """K tensors of one shape as one, (K, ...), detached, in float32 (float64 is kept)."""
    detached = [source.detach() for source in sources]
    if len({source.dtype for source in detached}) == 1:
        return widen(torch.stack(detached))
    return torch.stack([widen(source) for source in detached])

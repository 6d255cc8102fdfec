"""The information-bottleneck module of CIFD (Saidutta et al., NeurIPS 2024): noise on the student's embedding."""

import torch
from torch import Tensor, nn

from teachonce.models.density import FactorizedDensity


class Ibm(nn.Module):
    """Between a student's backbone and its head, in training only: W + U(-1/2, 1/2), and the rate of the noisy value.

    The noise is given, so that a step can be computed again.

    No encoder of its own: the backbone is it. In use it is the identity: no noise and, unlike the RDM, no rounding.
    The density r is trained with the student and dropped with this module. "Density for IBM" is not described in the
    paper: it is the RDM's, one cumulative network a unit.

    Args:
        width: D, the student's embedding width.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.density = FactorizedDensity(width)

    def forward(self, embedding: Tensor, noise: Tensor | None = None) -> Tensor:
        """The embedding (B, D) in float32 (float64 is kept), in training with noise.

        Args:
            embedding: (B, D).
            noise: (B, D) from [0, 1), of which 1/2 is taken off; None in use.
        """
        wide = embedding.to(torch.promote_types(embedding.dtype, torch.float32))
        return wide if noise is None else wide + (noise - 0.5)

    def nats(self, noisy: Tensor) -> Tensor:
        """The rate -log r(noisy) of each sample (B,), summed over the D units, of what `forward` gave (B, D)."""
        return self.density.nats(noisy).sum(-1)

"""The non-parametric factorised density of a bottleneck: one cumulative network a unit (Balle et al., 2018)."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LIKELIHOOD_FLOOR = 1e-9


class FactorizedDensity(nn.Module):
    """q(y) = prod_i q_i(y_i), each q_i of unit-width bins under its own learned cumulative (arXiv 1802.01436, 6.1).

    A unit's cumulative is c(y) = sigmoid(g(y)) with g a network of widths 1, 3, 3, 3, 3, 1: a layer maps h to
    softplus(H) h + b and, except the last, on to h + tanh(a) tanh(h). Softplus and |tanh| < 1 make it rise, whatever
    the parameters. The likelihood of y is c(y + 1/2) - c(y - 1/2): exact for an integer y, and for y plus uniform
    noise. It starts as a logistic of scale `init_scale`, as in CompressAI, which rounds around learned medians; here
    the median is 0. 58 parameters a unit at the default widths.

    It computes in float32 outside autocast, in float64 where y or the parameters are.

    Args:
        units: U, the bottleneck's width.
        stack: K densities of equal shape side by side, all with the same initial values; None for one.
        widths: Of the cumulative network's hidden layers.
        init_scale: Of the initial logistic, in units of y.

    Attributes:
        matrices: ([K,] U, sum of the layers' outputs * inputs), H of all layers, row-major, before softplus.
        biases: ([K,] U, sum of the layers' outputs), b.
        factors: ([K,] U, sum of the hidden widths), a, before tanh.
    """

    def __init__(
        self,
        units: int,
        *,
        stack: int | None = None,
        widths: tuple[int, ...] = (3, 3, 3, 3),
        init_scale: float = 10.0,
    ) -> None:
        super().__init__()
        self.units, self.stack, self.widths = units, stack, (1, *widths, 1)
        lead = (units,) if stack is None else (stack, units)
        scale = init_scale ** (1 / (len(widths) + 1))
        raw = [torch.full((o * i,), 1 / (scale * o)).expm1().log() for i, o in pairwise(self.widths)]
        outputs = sum(self.widths[1:])
        self.matrices = nn.Parameter(torch.cat(raw).repeat(*lead, 1))
        self.biases = nn.Parameter((torch.rand(units, outputs) - 0.5).expand(*lead, outputs).clone())
        self.factors = nn.Parameter(torch.zeros(*lead, sum(widths)))

    def cumulative(self, y: Tensor) -> Tensor:
        """The logits of c(y), y and they ([K,] B, U)."""
        with torch.autocast(y.device.type, enabled=False):
            wide = self._widen(y)
            return (
                self._logits(wide.transpose(-1, -2).reshape(-1, 1, wide.shape[-2]))
                .view(*wide.shape[:-2], wide.shape[-1], wide.shape[-2])
                .transpose(-1, -2)
            )

    def likelihood(self, y: Tensor) -> Tensor:
        """c(y + 1/2) - c(y - 1/2), ([K,] B, U), at least 1e-9; below the floor the gradient only pushes upwards."""
        lower, upper = self.cumulative(y - 0.5), self.cumulative(y + 0.5)
        sign = torch.where((lower + upper).detach() > 0, -1.0, 1.0).to(lower)
        p = (torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower)).abs()
        return torch.clamp(p, min=LIKELIHOOD_FLOOR)

    def nats(self, y: Tensor) -> Tensor:
        """-log likelihood, ([K,] B, U), at most -log 1e-9; the gradient is that of the unfloored value."""
        lower, upper = self.cumulative(y - 0.5), self.cumulative(y + 0.5)
        gap = (upper - lower).clamp_min(1e-6)
        nats = -F.logsigmoid(upper) - F.logsigmoid(-lower) - torch.log(-torch.expm1(-gap))
        return nats + (nats.clamp(max=-torch.log(torch.tensor(LIKELIHOOD_FLOOR)).item()) - nats).detach()

    def _widen(self, y: Tensor) -> Tensor:
        return y.to(torch.promote_types(torch.promote_types(y.dtype, self.biases.dtype), torch.float32))

    def _logits(self, h: Tensor) -> Tensor:
        groups = h.shape[0]
        matrices, biases = F.softplus(self.matrices).view(groups, -1), self.biases.view(groups, -1)
        factors = torch.tanh(self.factors).view(groups, -1)
        at, row, last = 0, 0, len(self.widths) - 2
        for layer, (i, o) in enumerate(pairwise(self.widths)):
            matrix = matrices[:, at : at + o * i].view(groups, o, i).to(h.dtype)
            h = torch.baddbmm(biases[:, row : row + o, None].to(h.dtype), matrix, h)
            if layer < last:
                h = h + factors[:, row : row + o, None] * torch.tanh(h)
            at, row = at + o * i, row + o
        return h

"""The non-parametric factorised density of a bottleneck: one cumulative network a unit (Balle et al., 2018)."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from teachonce.models.cumulative import LIKELIHOOD_FLOOR, nats

CPU_CHUNK = 16384
"""Points (networks times samples times 2) at once on a CPU: of 8,192 to 65,536 the fastest, with 32,768."""


class FactorizedDensity(nn.Module):
    """q(y) = prod_i q_i(y_i): the mass of the unit-width bin around y_i under unit i's own, learned cumulative.

    A unit's cumulative is c(y) = sigmoid(g(y)) with g a network of widths 1, 3, 3, 3, 3, 1: a layer maps h to
    softplus(H) h + b and, except the last, on to h + tanh(a) tanh(h). Softplus is positive and |tanh(a)| < 1, so that
    c rises whatever the parameters (arXiv 1802.01436, 6.1; CIFD cites the piecewise-linear density of Balle et al.
    2017 instead, of which no code is in use). The likelihood of y is c(y + 1/2) - c(y - 1/2): exact for an integer,
    and for y plus uniform noise. It starts near a logistic of scale `init_scale` (exactly one where all b are 0), as
    in CompressAI, which rounds around learned medians; here the median is 0. 58 parameters a unit.

    Everything is float32, outside autocast; float64 where y or the parameters are.

    Args:
        units: U, the bottleneck's width.
        stack: K densities side by side, all with the same initial values; None for one.
        widths: Of the cumulative networks' hidden layers.
        init_scale: Of the initial logistic, in units of y.

    Attributes:
        matrices: ([K,] U, sum of the layers' outputs * inputs), H of all layers, row-major, before softplus.
        biases: ([K,] U, sum of the layers' outputs), b, at first from U(-1/2, 1/2).
        factors: ([K,] U, sum of the hidden widths), a, before tanh, at first 0.
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
        blocks = [torch.full((o * i,), 1 / (scale * o)).expm1().log() for i, o in pairwise(self.widths)]
        drawn = torch.rand(units, sum(self.widths[1:])) - 0.5
        self.matrices = nn.Parameter(torch.cat(blocks).repeat(*lead, 1))
        self.biases = nn.Parameter(drawn.expand(*lead, -1).clone())
        self.factors = nn.Parameter(torch.zeros(*lead, sum(widths)))

    @property
    def macs(self) -> int:
        """Multiply-accumulates of `nats` for one sample: of the K U networks, each at two points."""
        return 2 * self.matrices.numel()

    def cumulative(self, y: Tensor) -> Tensor:
        """The logits of c(y), both ([K,] B, U)."""
        with torch.autocast(y.device.type, enabled=False):
            rows = self._rows(y)
            return self._back(self._logits(rows), y)

    def likelihood(self, y: Tensor) -> Tensor:
        """c(y + 1/2) - c(y - 1/2), ([K,] B, U), at least 1e-9; no gradient below that: train with `nats`.

        Both points are mirrored to the side where the sigmoid is small, so that float32 keeps the far tails.
        """
        wide = y.to(self._dtype(y))
        lower, upper = self.cumulative(torch.cat([wide - 0.5, wide + 0.5], -2)).chunk(2, -2)
        sign = torch.where((lower + upper).detach() > 0, -1.0, 1.0)
        return (torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower)).abs().clamp_min(LIKELIHOOD_FLOOR)

    def nats(self, y: Tensor) -> Tensor:
        """-log likelihood, ([K,] B, U), at most -log 1e-9.

        The gradient is that of the unfloored value and never vanishes, so that far-off starts come back.
        """
        with torch.autocast(y.device.type, enabled=False):
            rows = self._rows(y)
            parameters = (p.flatten(0, -2).to(rows.dtype) for p in (self.matrices, self.biases, self.factors))
            chunk = CPU_CHUNK if y.device.type == "cpu" else 0
            return self._back(nats(rows, *parameters, widths=self.widths, chunk=chunk), y)

    def _dtype(self, y: Tensor) -> torch.dtype:
        return torch.promote_types(torch.promote_types(y.dtype, self.biases.dtype), torch.float32)

    def _rows(self, y: Tensor) -> Tensor:
        """One row a unit, (K U, B), of ([K,] B, U)."""
        return y.to(self._dtype(y)).transpose(-1, -2).reshape(-1, y.shape[-2]).contiguous()

    def _back(self, rows: Tensor, y: Tensor) -> Tensor:
        return rows.view(*y.shape[:-2], y.shape[-1], y.shape[-2]).transpose(-1, -2)

    def _logits(self, rows: Tensor) -> Tensor:
        """Of c, (K U, B): the networks as they are written above; `nats` has them by hand."""
        shapes, h = list(pairwise(self.widths)), rows.unsqueeze(1)
        matrices = torch.split(F.softplus(self.matrices).flatten(0, -2), [i * o for i, o in shapes], 1)
        biases = torch.split(self.biases.flatten(0, -2).unsqueeze(2), list(self.widths[1:]), 1)
        factors = torch.split(torch.tanh(self.factors).flatten(0, -2).unsqueeze(2), list(self.widths[1:-1]), 1)
        for layer, (inputs, outputs) in enumerate(shapes):
            h = matrices[layer].view(-1, outputs, inputs).to(h.dtype) @ h + biases[layer]
            h = h + factors[layer] * torch.tanh(h) if layer < len(factors) else h
        return h.squeeze(1)

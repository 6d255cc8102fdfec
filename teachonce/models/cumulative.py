"""-log(c(y + 1/2) - c(y - 1/2)) of many small cumulative networks, forward and backward by hand.

G networks of one shape run side by side as batched matrix products; the two points of a y are two columns. A layer's
bias is one more column of its matrix, against a row of ones in its input. Let u and l be the logits of c at the upper
and the lower point; then, exactly,

    p = c(y + 1/2) - c(y - 1/2) = sigmoid(u) sigmoid(-l) q    with q = 1 - exp(l - u)
    d -log p / du = sigmoid(u) - 1 / q,    d -log p / dl = 1 / q - sigmoid(-l)

so the gradient stays of the order of 1 however small p is, where that of log(sigmoid(u) - sigmoid(l)) is lost.

On a CPU the networks are taken in chunks whose buffers stay in its cache, and the forward of a chunk goes on to its
backward at once, for an incoming gradient of ones: a mean over the batch gives all samples of a network the same
gradient, so the backward has only to scale. Where it does not, the backward does its work over again. On other devices
there is one chunk and its activations are kept: there the number of kernels counts, and to look at a value is to wait.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, repeat
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

LIKELIHOOD_FLOOR = 1e-9
SMALLEST_GAP = 1e-6
"""Of u - l, which float32 may round to 0 or below where c is flat."""


def nats(y: Tensor, matrices: Tensor, biases: Tensor, factors: Tensor, *, widths: Sequence[int], chunk: int) -> Tensor:
    """-log likelihood of y (G, B), at most -log 1e-9; the gradient is that of the unfloored value.

    Args:
        y: One row a network; like all others of one float dtype.
        matrices: (G, sum of outputs * inputs), H of all layers, row-major.
        biases: (G, sum of outputs), b.
        factors: (G, sum of hidden outputs), a.
        widths: Of the networks, from 1 to 1.
        chunk: Points (G * 2 B) at once, as on a CPU; 0 for all at once, as elsewhere.
    """
    mode = (tuple(widths), chunk, torch.is_grad_enabled())
    found: Tensor = _Nats.apply(y, matrices, biases, factors, *mode)  # type: ignore[no-untyped-call]
    return found


class _Nats(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor, matrices: Tensor, biases: Tensor, factors: Tensor, *mode: Any) -> Tensor:
        ctx.widths, ctx.chunk, learning = mode
        layers = _layers(matrices, biases, factors, ctx.widths)
        if ctx.chunk:
            slopes = _Slopes.empty(y, layers) if learning else None
            likelihood = _by_chunks(y, layers, ctx, None, slopes)
            saved: tuple[Tensor, ...] = _gradients(slopes, layers, matrices) if slopes else ()
        else:
            sweep = _Sweep.empty(y, ctx.widths)
            likelihood = sweep.rise(y, layers)
            saved = (*layers.affine, *layers.factors, *sweep.inputs, *sweep.tanh, sweep.tails, sweep.gaps)
        ctx.save_for_backward(y, matrices, biases, factors, *saved)
        return likelihood.clamp_min_(LIKELIHOOD_FLOOR).log_().neg_()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        y, matrices, biases, factors, *saved = ctx.saved_tensors
        if ctx.chunk and torch.equal(grad, grad[:, :1].expand_as(grad)):
            return (*(grad[:, :1] * ready for ready in saved), None, None, None)
        with torch.autocast(grad.device.type, enabled=False):
            if ctx.chunk:
                layers = _layers(matrices, biases, factors, ctx.widths)
                slopes = _Slopes.empty(y, layers)
                _by_chunks(y, layers, ctx, grad, slopes)
            else:
                layers, slopes = _kept(saved, grad, len(ctx.widths) - 1)
            return (*_gradients(slopes, layers, matrices), None, None, None)


@dataclass(frozen=True)
class _Layers:
    """G networks, or a chunk of them."""

    affine: Sequence[Tensor]
    """(G, outputs, inputs + 1) of each layer: softplus(H), then b."""
    factors: Sequence[Tensor]
    """(G, outputs, 1) of each hidden layer: tanh(a)."""

    def split(self, step: int) -> Iterator["_Layers"]:
        affine, factors = _split(self.affine, step), _split(self.factors, step)
        return (_Layers(*part) for part in zip(affine, factors, strict=True))


@dataclass(frozen=True)
class _Slopes:
    """The gradients of G networks, or of a chunk of them."""

    y: Tensor
    """(G, B)."""
    affine: Sequence[Tensor]
    """Of _Layers.affine."""
    factors: Sequence[Tensor]
    """(G, outputs, outputs); the diagonals are those of _Layers.factors."""

    @classmethod
    def empty(cls, y: Tensor, layers: _Layers) -> "_Slopes":
        factors = [y.new_empty(len(y), f.shape[1], f.shape[1]) for f in layers.factors]
        return cls(torch.empty_like(y), [torch.empty_like(a) for a in layers.affine], factors)

    def split(self, step: int) -> Iterator["_Slopes"]:
        parts = zip(torch.split(self.y, step), _split(self.affine, step), _split(self.factors, step), strict=True)
        return (_Slopes(*part) for part in parts)


class _Sweep:
    """The activations of G networks at 2 B points, and the two directions over them.

    Args:
        inputs: (G, inputs + 1, 2 B) of each layer, the last row ones.
        tanh: (G, outputs, 2 B) of each hidden layer: of the affine map's output.
        tails: (G, 2, B), sigmoid(-l) and sigmoid(u).
        gaps: (G, B), q.
    """

    def __init__(self, inputs: Sequence[Tensor], tanh: Sequence[Tensor], tails: Tensor, gaps: Tensor) -> None:
        self.inputs, self.tanh, self.tails, self.gaps = inputs, tanh, tails, gaps
        self.low, self.high = inputs[0][:, 0].chunk(2, 1)
        self.outputs = [x[:, :-1] for x in inputs[1:]]
        self.logits, (self.lower, self.upper) = tails.view(len(tails), 1, -1), tails.unbind(1)
        self.turned = [x.transpose(1, 2) for x in (*inputs, *tanh)]

    @classmethod
    def empty(cls, y: Tensor, widths: Sequence[int]) -> "_Sweep":
        rows, batch = y.shape
        inputs = [y.new_ones(rows, width + 1, 2 * batch) for width in widths[:-1]]
        tanh = [y.new_empty(rows, width, 2 * batch) for width in widths[1:-1]]
        return cls(inputs, tanh, y.new_empty(rows, 2, batch), torch.empty_like(y))

    def rise(self, y: Tensor, layers: _Layers) -> Tensor:
        """The likelihood of y (G, B), not floored."""
        torch.sub(y, 0.5, out=self.low)
        torch.add(y, 0.5, out=self.high)
        for layer, factor in enumerate(layers.factors):
            pre = torch.bmm(layers.affine[layer], self.inputs[layer])
            tanh = torch.tanh(pre, out=self.tanh[layer])
            torch.addcmul(pre, factor, tanh, out=self.outputs[layer])
        torch.bmm(layers.affine[-1], self.inputs[-1], out=self.logits)
        self.lower.neg_()
        torch.add(self.lower, self.upper, out=self.gaps).clamp_min_(SMALLEST_GAP).neg_().expm1_().neg_()
        self.tails.sigmoid_()
        return (self.lower * self.upper).mul_(self.gaps)

    def fall(self, grad: Tensor | None, layers: _Layers, slopes: _Slopes) -> None:
        """Fill `slopes` from the gradient (G, B) of -log likelihood, or from one of ones."""
        flow = self.gaps.reciprocal().unsqueeze(1) - self.tails
        if grad is not None:
            flow.mul_(grad.unsqueeze(1))
        flow[:, 1].neg_()
        flow, last = flow.view_as(self.logits), len(layers.factors)
        for layer in range(last, -1, -1):
            torch.bmm(flow, self.turned[layer], out=slopes.affine[layer])
            flow = torch.bmm(layers.affine[layer][:, :, :-1].transpose(1, 2), flow)
            if layer:
                torch.bmm(flow, self.turned[last + layer], out=slopes.factors[layer - 1])
                bent = torch.ops.aten.tanh_backward(flow, self.tanh[layer - 1])
                flow = torch.addcmul(flow, layers.factors[layer - 1], bent)
        torch.add(*flow[:, 0].chunk(2, 1), out=slopes.y)


def _by_chunks(y: Tensor, layers: _Layers, ctx: Any, grad: Tensor | None, slopes: _Slopes | None) -> Tensor:
    """The likelihood, chunk by chunk through one set of buffers; fills `slopes` where given."""
    step = max(1, min(len(y), ctx.chunk // (2 * y.shape[1])))
    likelihood, sweep = torch.empty_like(y), _Sweep.empty(y[:step], ctx.widths)
    grads = torch.split(grad, step) if grad is not None else repeat(None)
    falls = slopes.split(step) if slopes else repeat(None)
    parts = zip(torch.split(y, step), layers.split(step), torch.split(likelihood, step), strict=True)
    for (own, part, found), of_nats, fall in zip(parts, grads, falls, strict=False):
        if len(own) != len(sweep.gaps):
            sweep = _Sweep.empty(own, ctx.widths)
        found.copy_(sweep.rise(own, part))
        if fall:
            sweep.fall(of_nats, part, fall)
    return likelihood


def _kept(saved: Sequence[Tensor], grad: Tensor, depth: int) -> tuple[_Layers, _Slopes]:
    """From what the forward kept of one chunk, whose networks have `depth` layers."""
    lengths = (depth, depth - 1, depth, depth - 1)
    affine, factors, inputs, tanh, rest = (saved[a:b] for a, b in pairwise((0, *accumulate(lengths), len(saved))))
    layers = _Layers(affine, factors)
    slopes = _Slopes.empty(grad, layers)
    _Sweep(inputs, tanh, *rest).fall(grad, layers, slopes)
    return layers, slopes


def _layers(matrices: Tensor, biases: Tensor, factors: Tensor, widths: Sequence[int]) -> _Layers:
    shapes, rows = list(pairwise(widths)), list(widths[1:])
    raised = torch.split(F.softplus(matrices), [i * o for i, o in shapes], 1)
    blocks = zip(raised, torch.split(biases, rows, 1), shapes, strict=True)
    affine = [torch.cat([m.view(-1, o, i), b.unsqueeze(2)], 2) for m, b, (i, o) in blocks]
    return _Layers(affine, torch.split(torch.tanh(factors).unsqueeze(2), rows[:-1], 1))


def _gradients(slopes: _Slopes, layers: _Layers, matrices: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of y, H, b and a: `slopes` taken on through softplus and tanh."""
    of_matrices = torch.cat([a[:, :, :-1].flatten(1) for a in slopes.affine], 1) * torch.sigmoid(matrices)
    of_biases = torch.cat([a[:, :, -1] for a in slopes.affine], 1)
    bent = torch.cat(list(layers.factors), 1).squeeze(2)
    of_factors = torch.cat([f.diagonal(dim1=1, dim2=2) for f in slopes.factors], 1) * (1 - bent * bent)
    return slopes.y, of_matrices, of_biases, of_factors


def _split(tensors: Sequence[Tensor], step: int) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(torch.split(tensor, step) for tensor in tensors), strict=True)

"""Rate-distortion modules of CIFD (Saidutta et al., NeurIPS 2024), K of them trained as one."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from teachonce.errors import ModelError
from teachonce.models.density import FactorizedDensity
from teachonce.processwide import seeded

Preset = Literal["cnn", "r34", "r50", "general"]
_HIDDEN = {"r34": 512, "r50": 1024}
_CNN = (512, 306)
ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "tanh": torch.tanh,
}


@dataclass(frozen=True, kw_only=True)
class RdmSpec:
    """The layers of an RDM; all linear ones have a bias.

    | preset  | encoder               | decoder                   | head on the reconstruction |
    | cnn     | D -> 512 act -> 306   | -> C act -> C, the logits | none, no reconstruction    |
    | r34     | D -> 512 act -> 512   | -> 512 act -> D           | D -> C                     |
    | r50     | D -> 1024 act -> 1024 | -> 1024 act -> D          | D -> C                     |
    | general | D -> H act -> H       | -> H act -> D             | D -> C                     |

    The encoder's output is the bottleneck. The widths of `cnn`, `r34` and `r50` are the paper's (Table 1 and
    ImageNet); it gives none for the others.

    Raises:
        ModelError: No such preset or activation, or numbers that do not fit.
    """

    preset: Preset = "general"
    embedding_dim: int
    """D, of the teacher's embedding."""
    classes: int | None = None
    """C; None for no head (then there are no logits)."""
    hidden: int | None = None
    """H of `general`, D where None; the other presets fix theirs."""
    activation: str = "relu"
    """relu, gelu, silu or tanh."""

    def __post_init__(self) -> None:
        if self.preset not in get_args(Preset):
            raise ModelError(f"no RDM preset {self.preset!r}", f"Use one of {', '.join(get_args(Preset))}")
        if self.activation not in ACTIVATIONS:
            raise ModelError(f"no activation {self.activation!r}", f"Use one of {', '.join(ACTIVATIONS)}")
        if self.preset == "cnn" and self.classes is None:
            raise ModelError("the cnn preset gives logits, and the number of classes is unknown", "Use general")
        if self.preset != "general" and self.hidden is not None:
            raise ModelError(f"the {self.preset} preset fixes its width, got hidden {self.hidden}", "Use general")
        for name in ("embedding_dim", "classes", "hidden"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise ModelError(f"{name} of an RDM must be a positive integer, got {value!r}", "Correct it")

    @property
    def encoder(self) -> tuple[int, int, int]:
        """Widths from the embedding to the bottleneck."""
        if self.preset == "cnn":
            return self.embedding_dim, *_CNN
        hidden = _HIDDEN.get(self.preset, self.hidden or self.embedding_dim)
        return self.embedding_dim, hidden, hidden

    @property
    def decoder(self) -> tuple[int, int, int]:
        """Widths from the bottleneck to the reconstruction, or to the logits."""
        if self.preset == "cnn":
            assert self.classes is not None
            return self.units, self.classes, self.classes
        return self.units, self.units, self.embedding_dim

    @property
    def units(self) -> int:
        """U, the bottleneck's width."""
        return self.encoder[-1]

    @property
    def reconstructs(self) -> bool:
        """Whether there is a reconstruction of the embedding."""
        return self.preset != "cnn"

    @property
    def widths(self) -> dict[str, int]:
        """The width of each signal that it gives."""
        embedding = {"image_embedding": self.embedding_dim} if self.reconstructs else {}
        return embedding | ({} if self.classes is None else {"logits": self.classes})

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of every linear layer, the head's last."""
        head = ((self.embedding_dim, self.classes),) if self.reconstructs and self.classes else ()
        return (*pairwise(self.encoder), *pairwise(self.decoder), *head)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the linear layers, a sample."""
        return sum(i * o for i, o in self.layers)

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "RdmSpec":
        """The spec of `to_json`.

        Raises:
            ModelError: Other fields, or values that no spec has.
        """
        names = [field.name for field in fields(cls)]
        if sorted(value) != sorted(names):
            message = f"an RDM's spec has {', '.join(names)}, got {', '.join(value) or 'nothing'}"
            raise ModelError(message, "Use the version of teachonce that wrote it")
        return cls(**value)


@dataclass
class RdmOut:
    """What K RDMs give for a batch, all float32."""

    latent: Tensor
    """(K, B, U), noisy in training, rounded in use."""
    nats: Tensor
    """(K, B), -log q(latent), summed over the units."""
    embedding: Tensor | None
    """(K, B, D), the reconstruction."""
    logits: Tensor | None
    """(K, B, C)."""


class StackedLinear(nn.Module):
    """K linear layers with torch's default init, the same in each.

    Samples are columns, (K, I, B) to (K, O, B): so a weight's gradient comes out in the weight's own layout, and the
    density's rows lie one after the other.

    Attributes:
        weight: (K, O, I).
        bias: (K, O).
    """

    def __init__(self, count: int, inputs: int, outputs: int) -> None:
        super().__init__()
        one = nn.Linear(inputs, outputs)
        self.weight = nn.Parameter(one.weight.detach().repeat(count, 1, 1))
        self.bias = nn.Parameter(one.bias.detach().repeat(count, 1))

    def forward(self, columns: Tensor) -> Tensor:
        """(K, I, B), or (I, B) for all K, to (K, O, B)."""
        if columns.dim() == 3:
            return torch.baddbmm(self.bias.unsqueeze(2), self.weight, columns)
        flat = torch.addmm(self.bias.flatten().unsqueeze(1), self.weight.flatten(0, 1), columns)
        return flat.view(*self.bias.shape, -1)


class RdmStack(nn.Module):
    """K RDMs of one spec with stacked parameters, so that one step trains all.

    Every RDM starts from the same weights, which come from `seed` alone, and in training one draw of noise serves all:
    an RDM does not depend on its siblings, to float32 rounding.

    Y is what the encoder gives, Y + U(-1/2, 1/2) the latent in training, where noise is given, else round(Y) ("for
    stability"; halves go to the even side). There is no activation at the bottleneck: the paper names one after the
    first and third layer only, and a rectified Y would leave the density half a line.

    Args:
        spec: The layers.
        count: K.
        seed: Of the initial weights.
    """

    def __init__(self, spec: RdmSpec, count: int = 1, seed: int = 0) -> None:
        super().__init__()
        self.spec, self.count, self.seed = spec, count, seed
        with seeded(seed):
            self.layers = nn.ModuleList(StackedLinear(count, i, o) for i, o in spec.layers)
            self.density = FactorizedDensity(spec.units, stack=count)

    def forward(self, x: Tensor, noise: Tensor | None = None) -> RdmOut:
        """Of embeddings (B, D), the same for all RDMs; in float32 whatever their dtype, outside autocast.

        Args:
            x: (B, D).
            noise: (B, U) from [0, 1), of which 1/2 is taken off, for training; None rounds, as in use.
        """
        latent, embedding, logits = self._through(x, noise)
        return RdmOut(latent, self.density.nats(latent).sum(-1), embedding, logits)

    def outputs(self, x: Tensor) -> dict[str, Tensor]:
        """The signals of `forward` alone, each (K, B, width): without the density, which costs the most."""
        _, embedding, logits = self._through(x, None)
        given = {"image_embedding": embedding, "logits": logits}
        return {name: value for name, value in given.items() if value is not None}

    def _through(self, x: Tensor, noise: Tensor | None) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Latent, embedding and logits."""
        act = ACTIVATIONS[self.spec.activation]
        with torch.autocast(x.device.type, enabled=False):
            columns = x.to(self.density.biases.dtype).T
            exact = self.layers[1](act(self.layers[0](columns)))
            latent = torch.round(exact) if noise is None else exact + (noise.to(exact.dtype) - 0.5).T
            decoded = self.layers[3](act(self.layers[2](latent)))
            logits = self.layers[4](decoded).mT if len(self.layers) > 4 else None
        if not self.spec.reconstructs:
            return latent.mT, None, decoded.mT
        return latent.mT, decoded.mT, logits

    def head(self, k: int) -> tuple[Tensor, Tensor]:
        """Weight (C, D) and bias (C,) of the k-th RDM's head on its reconstruction, without gradient.

        Raises:
            ModelError: It has none.
        """
        if not self.spec.reconstructs or self.spec.classes is None:
            raise ModelError("this RDM has no linear head on a reconstruction", "Use the logits that are stored")
        layer = self.layers[-1]
        assert isinstance(layer, StackedLinear)
        return layer.weight[k].detach(), layer.bias[k].detach()

    def one(self, k: int) -> "RdmStack":
        """The k-th RDM alone: its weights copied, on the same device and in the same mode."""
        alone = RdmStack(self.spec, count=1, seed=self.seed).to(self.density.biases)
        alone.load_state_dict({name: value[k : k + 1] for name, value in self.state_dict().items()})
        return alone.train(self.training)

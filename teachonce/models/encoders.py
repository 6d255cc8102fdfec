"""Encoders: which of a network's outputs is the embedding, by written rules."""

from typing import Any

import torch
from torch import Tensor, nn

from teachonce.errors import ModelError
from teachonce.models.frozen import Signals, Teacher, TeacherInfo, on
from teachonce.models.kinds import PROJECTED
from teachonce.models.precision import as_taken

CHOICES = ("auto", "cls", "pooler", "mean", "projected", "penultimate")
_MEND = "Choose another --embedding: auto, cls, pooler, mean or projected"


class EncoderTeacher(Teacher):
    """A transformers encoder; `info.embedding` says which of its outputs is taken."""

    def __init__(self, info: TeacherInfo, network: nn.Module) -> None:
        super().__init__(info)
        self.network = network
        self.freeze()

    def forward(self, pixels: Tensor) -> Signals:
        """See Teacher.forward."""
        embedding = take(self.network, as_taken(pixels, self), self.info.embedding)
        return on(pixels.device, image_embedding=embedding)


def choose(network: nn.Module, embedding: str, probe: Tensor, spec: str) -> tuple[str, int]:
    """Which output is the embedding, and its width D.

    What `auto` stands for:

    1. A network with two towers (CLIP, SigLIP, ...), or the image tower of one with its projection: `projected`, the
       image side of the shared space.
    2. A network with a class token that has passed its last layer norm (ViT, DeiT, DINOv2, ...): `cls`.
    3. A network with a pooled output (ResNet, ConvNext, Swin, the vision towers of CLIP and SigLIP, ...): `pooler`.
    4. Any other: `mean`, over its patch tokens or its map.

    Args:
        network: In eval mode.
        embedding: One of CHOICES.
        probe: Pixels (B, 3, height, width) as its processor makes them.
        spec: For messages.

    Raises:
        ModelError: The network cannot take its processor's images, has no such output, not one vector an image, or
            gives another one each time.
    """
    if embedding == "penultimate":
        raise ModelError(f"{spec!r} is an encoder: it has no classification head, hence no penultimate layer", _MEND)
    try:
        with torch.no_grad():
            chosen = _auto(network, probe) if embedding == "auto" else embedding
            first, second = (take(network, probe, chosen) for _ in range(2))
    except ModelError:
        raise
    except Exception as error:
        message = f"{spec!r}: no embedding {embedding!r} from images of {tuple(probe.shape[2:])} px: {error}"
        raise ModelError(message, f"{_MEND}; check that processor and model belong together") from error
    if not isinstance(first, Tensor) or first.ndim != 2 or len(first) != len(probe):
        got = f"has shape {tuple(first.shape)}" if isinstance(first, Tensor) else f"is a {type(first).__name__}"
        raise ModelError(f"{spec!r}: embedding {chosen!r} {got}, expected (batch, width)", _MEND)
    if not torch.allclose(first, second, rtol=1e-3, atol=1e-5, equal_nan=True):
        mend = "Use an encoder without sampling or masking inside, or turn it off in its config.json"
        raise ModelError(f"{spec!r} returns another embedding for the same image each time", mend)
    return chosen, first.shape[1]


def take(network: nn.Module, pixels: Tensor, embedding: str) -> Tensor:
    """The embedding (B, D) that `embedding` names, of pixels (B, 3, height, width).

    Raises:
        ModelError: The network has no such output.
    """
    if embedding == "projected":
        return _projected(network, pixels)
    tower = vision_tower(network)
    output = tower(pixel_values=pixels)
    if embedding == "pooler":
        pooled: Tensor = _required(getattr(output, "pooler_output", None), network, "pooled output")
        return pooled.flatten(1)
    hidden: Tensor = output.last_hidden_state
    if embedding == "cls":
        if not _has_class_token(tower, hidden, pixels):
            raise ModelError(f"{type(network).__name__} has no class token", _MEND)
        return hidden[:, 0]
    if hidden.ndim == 4:
        return hidden.mean((2, 3))
    if _names(tower, "detection_tokens"):  # YOLOS has them behind its patches
        raise ModelError(f"{type(network).__name__} has tokens of other kinds among its patches", _MEND)
    return hidden[:, _prefix(tower, hidden.shape[1], pixels) :].mean(1)


def vision_tower(network: nn.Module) -> Any:
    """The part that sees images: the network itself where it has one tower only."""
    tower = getattr(network, "vision_model", None)
    return tower if isinstance(tower, nn.Module) else network


def drop_text_tower(network: nn.Module) -> None:
    """Forget what a two-tower network has for text: it costs memory, and images do not depend on it."""
    for name, _ in list(network.named_children()):
        if name.startswith("text"):
            delattr(network, name)


def _auto(network: nn.Module, probe: Tensor) -> str:
    if hasattr(network, "get_image_features") or type(network).__name__.endswith(PROJECTED):
        return "projected"
    output = network(pixel_values=probe)
    if _names(network, "cls_token") and _has_class_token(network, output.last_hidden_state, probe):
        return "cls"
    return "mean" if getattr(output, "pooler_output", None) is None else "pooler"


def _projected(network: nn.Module, pixels: Tensor) -> Tensor:
    if type(network).__name__.endswith(PROJECTED):
        embeds: Tensor = network(pixel_values=pixels).image_embeds
        return embeds
    project = _required(getattr(network, "get_image_features", None), network, "projected image embedding")
    features: Any = project(pixel_values=pixels)
    projected: Tensor = features if isinstance(features, Tensor) else features.pooler_output
    return projected


def _required(value: Any, network: nn.Module, what: str) -> Any:
    if value is None:
        raise ModelError(f"{type(network).__name__} has no {what}", _MEND)
    return value


def _names(network: nn.Module, *endings: str) -> bool:
    return any(name.endswith(endings) for name, _ in network.named_parameters())


def _has_class_token(tower: Any, hidden: Tensor, pixels: Tensor) -> bool:
    """Whether its tokens (B, T, D) begin with one: AIMv2's is of its pooling, and stands before no patches."""
    if hidden.ndim != 3 or not _names(tower, "cls_token", "class_embedding"):
        return False
    return _patches(tower, pixels) is None or _prefix(tower, hidden.shape[1], pixels) > 0


def _prefix(tower: Any, tokens: int, pixels: Tensor) -> int:
    """How many tokens stand before the patches: class, distillation and register tokens."""
    patches = _patches(tower, pixels)
    return tokens - patches if patches is not None and 0 < patches < tokens else 0


def _patches(tower: Any, pixels: Tensor) -> int | None:
    """How many patches images of this size have; None where its config has no size of them."""
    patch = getattr(tower.config, "patch_size", None)
    if patch is None:
        return None
    rows, cols = (patch, patch) if isinstance(patch, int) else patch
    return int((pixels.shape[2] // rows) * (pixels.shape[3] // cols))

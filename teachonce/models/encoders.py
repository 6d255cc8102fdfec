"""Encoders: which of a network's outputs is the embedding, by written rules."""

from typing import Any

import torch
from torch import Tensor, nn

from teachonce.errors import ModelError
from teachonce.models.frozen import Signal, Teacher, TeacherInfo

CHOICES = ("auto", "cls", "pooler", "mean", "projected", "penultimate")


class EncoderTeacher(Teacher):
    """A transformers encoder; `info.embedding` says which of its outputs is taken."""

    def __init__(self, info: TeacherInfo, network: nn.Module) -> None:
        super().__init__(info)
        self.network = network
        self.freeze()

    def forward(self, pixels: Tensor) -> Signal:
        """See Teacher.forward."""
        return Signal(embedding=take(self.network, pixels, self.info.embedding), logits=None)


def choose(network: nn.Module, embedding: str, spec: str) -> str:
    """Which output `auto` stands for.

    1. A network with two towers (CLIP, SigLIP, ...): `projected`, the image side of the shared space.
    2. A network with a class token that its last layer norm has passed (ViT, DeiT, DINOv2, ...): `cls`.
    3. A network with a pooled output (ResNet, ConvNext, Swin, CLIP's and SigLIP's vision towers, ...): `pooler`.
    4. Any other: `mean`, over the patch tokens or the map.

    Raises:
        ModelError: An unknown word, or one that the network cannot serve.
    """
    if embedding not in CHOICES:
        raise ModelError(f"no embedding {embedding!r}", f"Use one of {', '.join(CHOICES)}")
    if embedding == "penultimate":
        raise ModelError(f"{spec!r} is an encoder without a classification head", "Use auto, cls, pooler or mean")
    if embedding != "auto":
        return embedding
    if hasattr(network, "get_image_features"):
        return "projected"
    if any(name.endswith("cls_token") for name, _ in network.named_parameters()):
        return "cls"
    return "pooler" if has_pooler(network) else "mean"


def has_pooler(network: nn.Module) -> bool:
    """Whether a network has something that makes `pooler_output`."""
    tower = vision_tower(network)
    parts = ("pooler", "pooling", "post_layernorm", "head", "layernorm_post")
    return any(getattr(part, name, None) is not None for part in (tower, *tower.children()) for name in parts)


def vision_tower(network: nn.Module) -> Any:
    """The part that sees images: the network itself where it has one tower only."""
    tower = getattr(network, "vision_model", network)
    return tower if isinstance(tower, nn.Module) else network


def drop_text_tower(network: nn.Module) -> None:
    """Forget what a two-tower network has for text: it costs memory, and images do not depend on it."""
    for name, _ in list(network.named_children()):
        if name.startswith("text"):
            delattr(network, name)


def take(network: nn.Module, pixels: Tensor, embedding: str) -> Tensor:
    """The embedding (B, D) that `embedding` names, of pixels (B, 3, height, width)."""
    if embedding == "projected":
        features = network.get_image_features(pixel_values=pixels)  # type: ignore[operator]
        return features if isinstance(features, Tensor) else features.pooler_output  # type: ignore[no-any-return]
    tower = vision_tower(network)
    output = tower(pixel_values=pixels)
    if embedding == "pooler":
        pooled: Tensor = output.pooler_output
        return pooled.flatten(1)
    hidden: Tensor = output.last_hidden_state
    if embedding == "cls":
        return hidden[:, 0]
    if hidden.ndim == 4:
        return hidden.mean((2, 3))
    return hidden[:, _prefix(tower, hidden.shape[1], pixels) :].mean(1)


def _prefix(tower: Any, tokens: int, pixels: Tensor) -> int:
    """How many tokens stand before the patches: class, distillation and register tokens."""
    patch = getattr(tower.config, "patch_size", None)
    if patch is None:
        return 0
    rows, cols = (patch, patch) if isinstance(patch, int) else patch
    patches = (pixels.shape[2] // rows) * (pixels.shape[3] // cols)
    return tokens - patches if 0 < patches < tokens else 0


def embedding_width(network: nn.Module, probe: Tensor, embedding: str, spec: str) -> int:
    """D, found by running a probe.

    Raises:
        ModelError: The network cannot take its processor's images, or has no such output, or not one vector an image.
    """
    network.eval()
    try:
        with torch.no_grad():
            got = take(network, probe, embedding)
    except Exception as error:
        message = f"{spec!r}: no embedding {embedding!r} from images of {tuple(probe.shape[2:])}: {error}"
        raise ModelError(
            message, "Choose another --embedding, and check that processor and model belong together"
        ) from error
    if got.ndim != 2 or len(got) != len(probe):
        raise ModelError(
            f"{spec!r}: embedding {embedding!r} has shape {tuple(got.shape)}", "Choose another --embedding"
        )
    return got.shape[1]

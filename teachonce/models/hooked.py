"""Classifiers that cannot be split, such as those that average two heads: teachers only, without a stored head."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from teachonce.errors import ModelError
from teachonce.models.classifier import find_head
from teachonce.models.frozen import Signals, Teacher, TeacherInfo, on
from teachonce.models.precision import as_taken


class HookedClassifier(Teacher):
    """A whole transformers classifier; its embedding is what its last linear layer took, its logits are its own.

    Args:
        info: Its description.
        network: The transformers model.
        path: Of the layer in the network (`find_head`).
    """

    def __init__(self, info: TeacherInfo, network: nn.Module, path: str) -> None:
        super().__init__(info)
        self.network, self._path = network, path
        self.freeze()

    def forward(self, pixels: Tensor) -> Signals:
        """See Teacher.forward."""
        embedding, logits = run_hooked(self.network, self._path, as_taken(pixels, self))
        return on(pixels.device, image_embedding=embedding, logits=logits)


def run_hooked(network: nn.Module, path: str, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """The input (B, D) of the layer at `path`, and the network's logits (B, C)."""
    taken: list[Tensor] = []
    take: Callable[[nn.Module, Any], None] = lambda _module, inputs: taken.append(inputs[0])  # noqa: E731
    hook = network.get_submodule(path).register_forward_pre_hook(take)
    try:
        logits: Tensor = network(pixel_values=pixels).logits
    finally:
        hook.remove()
    return taken[-1], logits


def hooked_path(network: nn.Module, probe: Tensor, spec: str) -> tuple[str, int, int]:
    """Where to take the embedding, D and C.

    Raises:
        ModelError: The network does not end in a linear layer, or not on one vector an image.
    """
    path, logits = find_head(network, probe, spec)
    with torch.no_grad():
        embedding, _ = run_hooked(network.eval(), path, probe)
    if embedding.ndim != 2:
        message = f"{spec}: the input of {path} has shape {tuple(embedding.shape)}, expected (batch, width)"
        raise ModelError(message, "Use its encoder: --embedding cls, pooler or mean")
    return path, embedding.shape[1], logits.shape[1]

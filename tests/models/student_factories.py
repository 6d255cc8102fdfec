"""What users hand in as `package.module:factory`, good and bad."""

import torch
from torch import Tensor, nn

from teachonce.types import InputSpec


class Own(nn.Module):
    def __init__(self, classes: int, size: int, width: int = 6) -> None:
        super().__init__()
        self.input = InputSpec(height=size, width=size, mean=(0.1, 0.2, 0.3))
        self.embedding_dim = width
        self.body = nn.Linear(3 * size * size, 6)
        self.classifier = nn.Linear(6, classes)

    def embed(self, pixels: Tensor) -> Tensor:
        return torch.tanh(self.body(pixels.flatten(1)))

    def head(self, embedding: Tensor) -> Tensor:
        return self.classifier(embedding)


def own(classes: int, image_size: int | None) -> Own:
    return Own(classes, image_size or 8)


def wrong_width(classes: int, image_size: int | None) -> Own:
    return Own(classes, image_size or 8, width=7)


def wrong_classes(classes: int, image_size: int | None) -> Own:
    return Own(classes + 1, image_size or 8)


def no_head(classes: int, image_size: int | None) -> nn.Module:
    return nn.Linear(classes, 3)


def text(classes: int, image_size: int | None) -> str:
    return "a network"


def fails(classes: int, image_size: int | None) -> nn.Module:
    raise RuntimeError("out of ideas")


class Tied(Own):
    """Two names for one layer, as tied weights have them."""

    def __init__(self, classes: int, size: int) -> None:
        super().__init__(classes, size)
        self.again = self.body


def tied(classes: int, image_size: int | None) -> Tied:
    return Tied(classes, image_size or 8)


SIZE = 5


class Squashed(Own):
    def head(self, embedding: Tensor) -> Tensor:
        return torch.tanh(self.classifier(embedding))


def squashed(classes: int, image_size: int | None) -> Squashed:
    return Squashed(classes, image_size or 8)

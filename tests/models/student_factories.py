"""What users hand in as `package.module:factory`, good and bad."""

import random

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

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


class Attentive(nn.Module):
    """Every kind of attention of torch's; in training it draws from every generator of the process.

    One layer that torch fuses in eval mode, one self-attention by the function, and a query that attends to all tokens.
    """

    def __init__(self, classes: int, size: int, width: int = 32, heads: int = 4) -> None:
        super().__init__()
        self.input, self.embedding_dim, self.heads = InputSpec(height=size, width=size), width, heads
        self.patches = nn.Conv2d(3, width, 2, stride=2)
        self.place = nn.Parameter(0.1 * torch.from_numpy(np.random.normal(size=(size * size // 4, width))).float())
        self.fused = nn.TransformerEncoderLayer(width, heads, 2 * width, dropout=0.1, batch_first=True)
        self.mixed = nn.Linear(width, 3 * width)
        self.query = nn.Parameter(torch.full((1, 1, width), random.random()))
        self.pool = nn.MultiheadAttention(width, heads, batch_first=True)
        self.classifier = nn.Linear(width, classes)

    def embed(self, pixels: Tensor) -> Tensor:
        tokens = self.fused(self.patches(pixels).flatten(2).transpose(1, 2) + self.place)
        if not self.training or random.random() < 0.8:
            tokens = tokens + self._attended(tokens) * (1 + 0.1 * np.random.random() * self.training)
        pooled, _ = self.pool(self.query.expand(len(tokens), -1, -1), tokens, tokens, need_weights=False)
        return pooled[:, 0]

    def _attended(self, tokens: Tensor) -> Tensor:
        query, key, value = self.mixed(tokens).unflatten(2, (3 * self.heads, -1)).transpose(1, 2).chunk(3, dim=1)
        return functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)

    def head(self, embedding: Tensor) -> Tensor:
        return self.classifier(embedding)


def attentive(classes: int, image_size: int | None) -> Attentive:
    return Attentive(classes, image_size or 16)

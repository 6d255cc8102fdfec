"""The residual networks that CIFAR distillation is compared on: WRN-d-k, resnet32x4 and resnet8x4, at 32 px.

As in the repository of CRD (Tian et al. 2020, HobbitLong/RepDistiller), whose numbers the papers of the field quote:
the same layers and initial weights, hence the same parameter counts. One thing differs: the last map is averaged whole,
not in windows of 8, so that other image sizes work; at 32 px that is the same.
"""

import math

import torch
from torch import Tensor, nn

from teachonce.models.student import Student
from teachonce.processwide import seeded
from teachonce.types import InputSpec

WIDE = {"wrn-40-2": (40, 2), "wrn-40-1": (40, 1)}
"""Depth, and the factor on 16, 32, 64 channels. At 100 classes 2,255,156 and 569,780 parameters."""

RESNETS = {"resnet32x4": (32, (32, 64, 128, 256)), "resnet8x4": (8, (32, 64, 128, 256))}
"""Depth, and the channels of stem and stages. At 100 classes 7,433,860 and 1,233,540 parameters."""

NAMES = (*WIDE, *RESNETS)


class CifarResNet(Student):
    """A stem, three stages of halving resolution, the mean over the map (the embedding), and a linear head.

    Args:
        name: One of NAMES.
        classes: C.
        image_size: Height and width in pixels.
        seed: Of the initial weights.
    """

    def __init__(self, name: str, *, classes: int, image_size: int = 32, seed: int = 0) -> None:
        super().__init__()
        self.spec = name
        self.input = InputSpec(height=image_size, width=image_size)
        with seeded(seed):
            self.features, self.embedding_dim = _wide(*WIDE[name]) if name in WIDE else _plain(*RESNETS[name])
            self.classifier = nn.Linear(self.embedding_dim, classes)
            self.classes = classes
            self.apply(_initialise)
            if name in WIDE:
                nn.init.zeros_(self.classifier.bias)

    def embed(self, pixels: Tensor) -> Tensor:
        """See Student.embed."""
        features: Tensor = self.features(pixels)
        return features.mean((2, 3))

    def head(self, embedding: Tensor) -> Tensor:
        """See Student.head."""
        logits: Tensor = self.classifier(embedding)
        return logits


class PreactivationBlock(nn.Module):
    """x + conv(relu(norm(conv(relu(norm(x)))))) (He et al. 2016b; Zagoruyko & Komodakis 2016).

    Where the channels change, the shortcut is a 1x1 convolution of relu(norm(x)).
    """

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = _conv(channels, width, stride)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv2 = _conv(width, width)
        self.shortcut = None if channels == width else nn.Conv2d(channels, width, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, h / stride, w / stride) of (B, channels, h, w)."""
        active = torch.relu(self.norm1(x))
        residual: Tensor = self.conv2(torch.relu(self.norm2(self.conv1(active))))
        return residual + (x if self.shortcut is None else self.shortcut(active))


class BasicBlock(nn.Module):
    """relu(x + norm(conv(relu(norm(conv(x)))))) (He et al. 2016a).

    Where shape or channels change, the shortcut is a normalised 1x1 convolution.
    """

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = _conv(channels, width, stride), nn.BatchNorm2d(width)
        self.conv2, self.norm2 = _conv(width, width), nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != width:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, h / stride, w / stride) of (B, channels, h, w)."""
        inner = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(inner)) + self.shortcut(x))


def _wide(depth: int, factor: int) -> tuple[nn.Sequential, int]:
    """A wide residual network without its head, and its last width."""
    widths = tuple(factor * width for width in (16, 32, 64))
    stages = _stages(PreactivationBlock, 16, widths, blocks=(depth - 4) // 6)
    return nn.Sequential(_conv(3, 16), *stages, nn.BatchNorm2d(widths[-1]), nn.ReLU()), widths[-1]


def _plain(depth: int, channels: tuple[int, ...]) -> tuple[nn.Sequential, int]:
    """A residual network of basic blocks without its head, and its last width."""
    stem, *widths = channels
    stages = _stages(BasicBlock, stem, tuple(widths), blocks=(depth - 2) // 6)
    return nn.Sequential(_conv(3, stem), nn.BatchNorm2d(stem), nn.ReLU(), *stages), channels[-1]


def _stages(
    block: type[PreactivationBlock | BasicBlock], channels: int, widths: tuple[int, ...], *, blocks: int
) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for stage, width in enumerate(widths):
        for index in range(blocks):
            layers.append(block(channels, width, 2 if stage and not index else 1))
            channels = width
    return layers


def _conv(channels: int, width: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)


def _initialise(module: nn.Module) -> None:
    """Convolutions: normal of variance 2 / (kernel area * channels out). Norms 1 and 0, linear layers torch's own."""
    if isinstance(module, nn.Conv2d):
        fan = math.prod(module.kernel_size) * module.out_channels
        nn.init.normal_(module.weight, 0.0, math.sqrt(2 / fan))

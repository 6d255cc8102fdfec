"""The plain CNNs of CIFD's Table 8 (Saidutta et al., NeurIPS 2024): teacher, assistants and student at 32 px."""

import torch
from torch import Tensor, nn

from teachonce.errors import ModelError
from teachonce.models.student import Student
from teachonce.processwide import seeded
from teachonce.types import InputSpec

P = 0  # a 2x2 max-pooling in the tables below

CONVOLUTIONS: dict[int, tuple[int, ...]] = {
    10: (32, 32, P, 64, 64, P, 128, 128, P, 256, 256, 256, 256, P),
    8: (32, 32, P, 64, 64, P, 128, 128, P, 256, 256, P),
    6: (32, 32, P, 64, 64, P, 128, 128),
    4: (32, 32, P, 64, 64, P),
    2: (32, P, 32, P),
}
HIDDEN: dict[int, int] = {10: 512, 8: 64, 6: 256, 4: 256, 2: 256}


class Cnn(Student):
    """3x3 convolutions of stride 1 and padding 1, ReLU, 2x2 max-pooling, one hidden and one final linear layer.

    The embedding is the hidden layer's output after its ReLU ("the teacher's embedding is FC512's output"). No batch
    normalisation (the paper mentions none). Multiply-accumulates at 32 px and 100 classes, in millions, as in the
    table: 72.239, 52.861, 40.756, 25.552 and 3.794 for 10, 8, 6, 4 and 2 layers.

    Args:
        depth: 2, 4, 6, 8 or 10.
        classes: C.
        image_size: Height and width in pixels.
        seed: Of the initial weights (torch's default init).

    Raises:
        ModelError: An unknown depth, or images too small for the poolings.
    """

    def __init__(self, depth: int, *, classes: int, image_size: int = 32, seed: int = 0) -> None:
        super().__init__()
        if depth not in CONVOLUTIONS:
            raise ModelError(f"no CNN of {depth} layers", f"Use one of {', '.join(f'cnn-{d}' for d in CONVOLUTIONS)}")
        self.spec = f"cnn-{depth}"
        self.input = InputSpec(height=image_size, width=image_size)
        self.embedding_dim, self.classes = HIDDEN[depth], classes
        with seeded(seed):
            self.features = nn.Sequential(*_layers(depth))
            self.hidden = nn.Linear(_flat(depth, image_size), HIDDEN[depth])
            self.classifier = nn.Linear(HIDDEN[depth], classes)

    def embed(self, pixels: Tensor) -> Tensor:
        """See Student.embed."""
        return torch.relu(self.hidden(self.features(pixels).flatten(1)))

    def head(self, embedding: Tensor) -> Tensor:
        """See Student.head."""
        logits: Tensor = self.classifier(embedding)
        return logits


def _layers(depth: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    channels = 3
    for width in CONVOLUTIONS[depth]:
        if width == P:
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
        channels = width
    return layers


def _flat(depth: int, image_size: int) -> int:
    """Features after the last pooling, for square images of `image_size` pixels."""
    table = CONVOLUTIONS[depth]
    side: int = image_size >> table.count(P)
    if side < 1:
        raise ModelError(f"cnn-{depth} pools images of {image_size} px away", f"Use {2 ** table.count(P)} px or more")
    return side * side * next(width for width in reversed(table) if width != P)

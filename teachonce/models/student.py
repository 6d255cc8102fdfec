"""What a student is: a backbone that embeds, and a head on the embedding."""

from collections.abc import Mapping

from torch import Tensor, nn

from teachonce.bounds import MOST_SIDE
from teachonce.errors import ModelError
from teachonce.types import InputSpec


class Student(nn.Module):
    """The base of all students. A forward gives both the embedding and the logits.

    Attributes:
        spec: The text it was built from.
        input: What it takes: size in pixels, mean, std, filter.
        embedding_dim: D, the width of `embed`'s output.
        classes: C, the width of `head`'s output.
    """

    spec: str
    input: InputSpec
    embedding_dim: int
    classes: int

    def embed(self, pixels: Tensor) -> Tensor:
        """The embeddings (B, D) of normalised pixels (B, 3, height, width)."""
        raise NotImplementedError

    def head(self, embedding: Tensor) -> Tensor:
        """The logits (B, C) of embeddings (B, D)."""
        raise NotImplementedError

    def outputs(
        self, inputs: Mapping[str, Tensor], bottleneck: nn.Module | None = None, noise: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The signals of a batch, each (B, width).

        Args:
            inputs: By name; of these it takes `image`, normalised pixels (B, 3, height, width).
            bottleneck: Between the backbone and the head, see `Method`; None for none.
            noise: What the bottleneck takes, (B, D); None in use.
        """
        embedding = self.embed(inputs["image"])
        if bottleneck is not None:
            embedding = bottleneck(embedding, noise)
        return {"image_embedding": embedding, "logits": self.head(embedding)}

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, D) and logits (B, C) of normalised pixels (B, 3, height, width)."""
        embedding = self.embed(pixels)
        return embedding, self.head(embedding)


def require_classes(classes: int | None, spec: str) -> int:
    """The number of classes.

    Raises:
        ModelError: It is missing or not positive.
    """
    if classes is None or classes < 1:
        raise ModelError(f"{spec!r} needs a number of classes, got {classes}", "Use data with labels, or give classes")
    return classes


def require_side(spec: str, side: int | None) -> None:
    """Refuse an image size that no network is made for, before memory is taken for one.

    Args:
        spec: The model.
        side: In pixels; None: none was given.

    Raises:
        ModelError: It is not positive, or too large.
    """
    if side is not None and not 1 <= side <= MOST_SIDE:
        raise ModelError(f"{spec!r}: expected an image size of 1 to {MOST_SIDE} px, got {side}", "Use another size")

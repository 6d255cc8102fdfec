"""A user's own network behind the Student interface."""

from typing import Any

import torch
from torch import Tensor, nn

from teachonce.errors import ModelError
from teachonce.models.classifier import probe_pixels
from teachonce.models.student import Student
from teachonce.models.trust import factory_lookup, import_factory
from teachonce.processwide import evaluating, seeded
from teachonce.types import InputSpec


class FactoryStudent(Student):
    """A user's network behind the Student interface.

    The factory is called as `factory(classes=..., image_size=...)`, with image_size None for its own choice. It returns
    a torch module with `embed(pixels) -> (B, D)`, `head(embedding) -> (B, C)`, `embedding_dim`, `input` (an InputSpec).

    Args:
        spec: `package.module:factory`.
        classes: C.
        image_size: Pixels, or None.
        seed: Set on torch's CPU generator while the factory runs.

    Raises:
        ModelError: The factory fails, or what it returns is no such module.
    """

    def __init__(self, spec: str, *, classes: int, image_size: int | None, seed: int) -> None:
        super().__init__()
        factory = import_factory(spec)
        try:
            with seeded(seed), factory_lookup():
                network = factory(classes=classes, image_size=image_size)
        except Exception as error:
            mend = "It is called as factory(classes=..., image_size=...)"
            raise ModelError(f"{spec}: the factory failed: {type(error).__name__}: {error}", mend) from error
        require_student(network, spec)
        self.spec, self.network, self.classes = spec, network, classes
        self.input, self.embedding_dim = network.input, network.embedding_dim
        _check_shapes(self)

    def embed(self, pixels: Tensor) -> Tensor:
        """See Student.embed."""
        embedding: Tensor = self.network.embed(pixels)
        return embedding

    def head(self, embedding: Tensor) -> Tensor:
        """See Student.head."""
        logits: Tensor = self.network.head(embedding)
        return logits


def require_student(network: Any, spec: str) -> None:
    """Check that a factory returned what a student is.

    Raises:
        ModelError: It lists all that is missing.
    """
    mend = "A student is a torch.nn.Module with embed(pixels), head(embedding), embedding_dim and input (an InputSpec)"
    if not isinstance(network, nn.Module):
        raise ModelError(f"{spec} returned a {type(network).__name__}, expected a torch.nn.Module", mend)
    wrong = [name for name in ("embed", "head") if not callable(getattr(network, name, None))]
    wrong += ["embedding_dim"] if not isinstance(getattr(network, "embedding_dim", None), int) else []
    wrong += ["input"] if not isinstance(getattr(network, "input", None), InputSpec) else []
    if wrong:
        raise ModelError(f"{spec} returned a {type(network).__name__} without a usable {', '.join(wrong)}", mend)


def _check_shapes(student: Student) -> None:
    probe = probe_pixels(student.input)
    try:
        with evaluating(student), torch.no_grad():
            embedding = student.embed(probe)
            logits = student.head(embedding)
    except Exception as error:
        message = f"{student.spec} fails on pixels of shape {tuple(probe.shape)}: {error}"
        raise ModelError(message, "Make its input spec and its network agree") from error
    for name, got, width in (("embed", embedding, student.embedding_dim), ("head", logits, student.classes)):
        if tuple(got.shape) != (len(probe), width):
            expected = (len(probe), width)
            raise ModelError(
                f"{student.spec}: {name} gave {tuple(got.shape)}, expected {expected}", "Correct the factory"
            )

"""What a method is, and how one is made by name."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from teachonce.errors import MismatchError, StoreMissingError
from teachonce.methods.settings import Settings
from teachonce.methods.targets import Needs, StudentOut, Targets
from teachonce.models.spec import seeded
from teachonce.models.student import Student
from teachonce.types import TargetSpec


class Method(Protocol):
    """What a training loop knows of a method."""

    name: str
    needs: Needs
    weights: dict[str, float]
    """Term -> weight; the caller applies them (`total`) and logs the terms apart."""
    settings: Settings
    modules: nn.Module
    """What is trained beside the student, dropped afterwards; what `build` returned."""

    def build(self, student: Student, spec: TargetSpec | None, *, seed: int = 0) -> nn.Module:
        """Make `modules` for a student and a target, on the CPU, their init from `seed` alone."""

    def __call__(self, out: StudentOut, targets: Targets, labels: Tensor, step: int) -> dict[str, Tensor]:
        """The unweighted terms, each a scalar. No term waits for the device or looks at a value."""


class Base:
    """What all methods share: settings, no trainable modules, float32 arithmetic.

    Args:
        settings: Checked already.
    """

    name: ClassVar[str]
    needs: ClassVar[Needs] = Needs()
    settings_type: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.modules: nn.Module = nn.ModuleDict()
        self.weights: dict[str, float] = self.make_weights()

    def make_weights(self) -> dict[str, float]:
        """Term -> weight."""
        return {"ce": 1.0}

    def build(self, student: Student, spec: TargetSpec | None, *, seed: int = 0) -> nn.Module:
        """See Method.build.

        Raises:
            MismatchError: The target does not fit the student.
            StoreMissingError: The target lacks what the method needs.
        """
        if self.needs.teacher:
            if spec is None:
                raise StoreMissingError(
                    f"method {self.name} needs a teacher's targets", "Give --store, or --source live"
                )
            self.check(student, spec)
            with seeded(seed):
                self.modules = self.make_modules(student, spec)
        return self.modules

    def check(self, student: Student, spec: TargetSpec) -> None:
        """Refuse a target that does not fit the student."""

    def make_modules(self, student: Student, spec: TargetSpec) -> nn.Module:
        """What is trained beside the student."""
        return nn.ModuleDict()


def require_same_classes(name: str, student: Student, spec: TargetSpec) -> None:
    """Logits are compared class by class, so both sides have the same number.

    Raises:
        MismatchError: They have not.
    """
    if spec.classes is not None and spec.classes != student.classes:
        raise MismatchError(
            f"method {name}: target {spec.name!r} has logits of {spec.classes} classes, the data has {student.classes}",
            "Use a teacher of the same classes, or a method that needs embeddings only (clip-embed-kd, clip-teacher-kd)",
        )


def require_width(name: str, spec: TargetSpec) -> int:
    """The width of the target's embeddings.

    Raises:
        StoreMissingError: It has none.
    """
    if spec.embedding_dim is None:
        raise StoreMissingError(f"method {name} needs embeddings, target {spec.name!r} has none", "Embed it again")
    return spec.embedding_dim


def given(tensor: Tensor | None) -> Tensor:
    """A target that the method said it needs; detached, whatever the caller did."""
    assert tensor is not None, "targets lack what the method said it needs"
    return tensor.detach()


def precise(tensor: Tensor) -> AbstractContextManager[None]:
    """Without autocast: losses and projections are computed in float32 on every device."""
    return torch.autocast(tensor.device.type, enabled=False)


def total(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """The loss: the weighted sum of the terms."""
    parts = [weights[name] * term for name, term in terms.items()]
    return torch.stack(parts).sum() if len(parts) > 1 else parts[0]

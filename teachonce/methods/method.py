"""What a method is: named terms, their weights, and what is trained beside the student."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from teachonce.errors import MismatchError, StoreMissingError
from teachonce.methods.settings import Settings
from teachonce.methods.targets import Needs, StudentOut, Targets
from teachonce.models.student import Student
from teachonce.processwide import seeded
from teachonce.types import TargetSpec

Takes = Literal["rdm", "assistants"]
Part = Callable[[], Mapping[str, Tensor]]


class Method:
    """The base of all methods. A new one sets `name` and `needs`, and defines `__call__`.

    Args:
        settings: Checked already (`make_method` does it).
        extras: The names of targets beside the main one, for methods that take some.

    Attributes:
        settings: Its own settings.
        needs: What it needs of a teacher; an instance may say so more closely than its class.
        weights: Term -> weight; the caller applies them (`total`) and logs the terms apart. `build` may leave out
            terms that the targets at hand do not have.
        modules: What is trained beside the student and dropped afterwards; filled by `build`.
        bottleneck: One of the modules, (B, D) -> (B, D), that stands between the student's backbone and its head in
            training, and nowhere else; None where there is none.
        notes: What a log should say about what was built.
    """

    name: ClassVar[str]
    needs: Needs = Needs()
    settings_type: ClassVar[type[Settings]] = Settings
    takes: ClassVar[Takes | None] = None
    """What its extras are, named as the option that gives them."""
    needs_extras: ClassVar[bool] = False

    def __init__(self, settings: Settings, extras: Sequence[str] = ()) -> None:
        self.settings, self.extras = settings, tuple(extras)
        self.modules: nn.Module = nn.ModuleDict()
        self.bottleneck: nn.Module | None = None
        self.notes: tuple[str, ...] = ()
        self.needs = replace(self.needs, extras=self.extras)
        self.weights: dict[str, float] = self.make_weights()

    def __call__(self, out: StudentOut, targets: Targets, labels: Tensor, step: int) -> dict[str, Tensor]:
        """The unweighted terms of a batch, each a scalar, in nats.

        Nothing here waits for the device or branches on a value, so it can be compiled and captured.

        Args:
            out: The student's side.
            targets: The teacher's side; detached whatever the caller did.
            labels: (B,) int64.
            step: Steps taken so far, for schedules.
        """
        raise NotImplementedError

    def parts(self, out: StudentOut, targets: Targets, labels: Tensor) -> dict[str, Part]:
        """What `__call__` is made of, for measurements: pieces that can be computed apart; empty where it is one."""
        return {}

    def build(self, student: Student, spec: TargetSpec | None, *, seed: int = 0) -> nn.Module:
        """Make `modules` for a student and a target, on the CPU, their init from `seed` alone.

        Raises:
            MismatchError: The target does not fit the student.
            StoreMissingError: The target lacks what the method needs.
        """
        if not self.needs.teacher:
            return self.modules
        if spec is None:
            mend = "Give --store, or --source live with --teacher"
            raise StoreMissingError(f"method {self.name} needs a teacher's targets, got none", mend)
        self.check(student, spec)
        with seeded(seed):
            self.modules = self.make_modules(student, spec)
        return self.modules

    def make_weights(self) -> dict[str, float]:
        """Term -> weight."""
        return {"ce": 1.0}

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
        message = f"method {name}: the teacher's logits in {spec.name!r} are of {spec.classes} classes"
        mend = (
            "Use a teacher of the same classes, or a method that needs embeddings only (clip-embed-kd, clip-teacher-kd)"
        )
        raise MismatchError(f"{message}, the student's of {student.classes}", mend)


def require_width(name: str, spec: TargetSpec) -> int:
    """The width of the target's embeddings.

    Raises:
        StoreMissingError: It has none.
    """
    if spec.embedding_dim is None:
        mend = "Embed the data again: `teachonce embed`"
        raise StoreMissingError(f"method {name} needs embeddings, target {spec.name!r} has none", mend)
    return spec.embedding_dim


def given(tensor: Tensor | None) -> Tensor:
    """A target that the method said it needs; detached, whatever the caller did."""
    assert tensor is not None, "the targets do not have the arrays that the method needs"
    return tensor.detach()


def precise(tensor: Tensor) -> AbstractContextManager[None]:
    """Without autocast: losses and projections are computed in float32 on every device."""
    return torch.autocast(tensor.device.type, enabled=False)


def total(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """The loss, a scalar: the weighted sum of the terms."""
    parts = [weights[name] * term for name, term in terms.items()]
    return torch.stack(parts).sum()

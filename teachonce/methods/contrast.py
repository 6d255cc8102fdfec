"""What the two CLIP methods share: the learnable scale and the projector between the two embedding spaces."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from teachonce.errors import MismatchError
from teachonce.methods.method import Method, main, require_width
from teachonce.methods.settings import Settings
from teachonce.methods.tensors import widen
from teachonce.models.projector import Projector
from teachonce.models.student import Student
from teachonce.options.opt import Opt
from teachonce.options.search import Around
from teachonce.types import TargetSpec

MAX_SCALE = 100.0
Direction = Literal["teacher-to-student", "student-to-teacher", "none"]


@dataclass(frozen=True, kw_only=True)
class ContrastSettings(Settings):
    """Defaults of the paper (arXiv 2404.06170): both weights 0.5; of CLIP: a learnable scale from 1/0.07."""

    ce_weight: Annotated[float, Opt(help="Weight of the `ce` term (the public code has 1).", min=0)] = 0.5
    clip_weight: Annotated[float, Opt(help="Weight of the `clip` term.", min=0, search=Around(10.0))] = 0.5
    scale: Annotated[
        float, Opt(help="1 / temperature of the cosines, or where it starts when learnt.", above=0, max=MAX_SCALE)
    ] = 1 / 0.07
    learn_scale: Annotated[bool, Opt(help="Learn the scale's logarithm; it never passes log 100.")] = True
    direction: Annotated[
        Direction,
        Opt(
            help="Which side the projector maps; `none`: there is no projector, and both widths must agree. The paper "
            "says both sides, in two places; its code maps the teacher's embeddings."
        ),
    ] = "teacher-to-student"


class Scale(nn.Module):
    """exp of a learnable number, at most 100 (CLIP; Radford et al., 2021).

    The number itself is clamped in place before use, as CLIP does after each step: a clamp of the exponential alone
    would have no gradient above 100, and the scale could never come back.

    Args:
        start: The first scale.
        learn: Whether it is a parameter or a constant.
    """

    log_scale: Tensor

    def __init__(self, start: float, *, learn: bool) -> None:
        super().__init__()
        log_scale = torch.tensor(math.log(start))
        if learn:
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale)
        self.learn = learn

    def forward(self) -> Tensor:
        """The scale, a scalar."""
        if self.learn:
            with torch.no_grad():
                self.log_scale.clamp_(max=math.log(MAX_SCALE))
        return self.log_scale.exp()


class Bridge(nn.Module):
    """Brings a student's and a teacher's embeddings into one space, and holds the scale.

    Args:
        student_dim: D.
        teacher_dim: Dt.
        settings: Direction and scale.
    """

    def __init__(self, student_dim: int, teacher_dim: int, settings: ContrastSettings) -> None:
        super().__init__()
        self.direction = settings.direction
        if self.direction != "none":
            to_student = self.direction == "teacher-to-student"
            self.projector = Projector(*((teacher_dim, student_dim) if to_student else (student_dim, teacher_dim)))
        self.scale = Scale(settings.scale, learn=settings.learn_scale)

    def forward(self, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Student (B, X) and teacher (M, X) in the common space, and the scale."""
        student, teacher = widen(student), widen(teacher)
        if self.direction == "teacher-to-student":
            teacher = self.projector(teacher)
        elif self.direction == "student-to-teacher":
            student = self.projector(student)
        return student, teacher, self.scale()


class Contrast(Method):
    """A contrastive method: terms `ce` and `clip`, modules `projector` and `scale`."""

    settings_type = ContrastSettings
    settings: ContrastSettings

    def make_weights(self) -> dict[str, float]:
        """See Method.make_weights."""
        return {"ce": self.settings.ce_weight, "clip": self.settings.clip_weight}

    def check(self, student: Student, specs: Mapping[str, TargetSpec]) -> None:
        """See Method.check."""
        spec = main(specs)
        width = require_width(self.name, spec)
        if self.settings.direction == "none" and student.embedding_dim != width:
            message = f"method {self.name} with direction=none compares embeddings of one width"
            raise MismatchError(
                f"{message}: the student's is {student.embedding_dim}, the teacher's in {spec.name!r} is {width}",
                f"Use a student with embeddings of {width}, or --set {self.name}.direction=teacher-to-student",
            )

    def make_modules(self, student: Student, specs: Mapping[str, TargetSpec]) -> nn.Module:
        """See Method.make_modules."""
        return Bridge(student.embedding_dim, require_width(self.name, main(specs)), self.settings)

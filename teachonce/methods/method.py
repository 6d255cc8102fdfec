"""What a method is: named terms, their weights, and what is trained beside the student."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import ClassVar

import torch
from torch import Tensor, nn

from teachonce.errors import MismatchError, StoreMissingError
from teachonce.methods.settings import Settings
from teachonce.methods.targets import Inputs, Outputs, Targets
from teachonce.models.draws import Draws
from teachonce.models.student import Student
from teachonce.options.methods import Takes
from teachonce.options.opt import Value
from teachonce.processwide import seeded
from teachonce.signals import Needs, needs, of_rows
from teachonce.types import TargetSpec

Part = Callable[[], Mapping[str, Tensor]]


class Method:
    """The base of all methods. A new one sets `name` and `needs`, and defines `__call__`.

    A misspelt signal in `needs` is refused where the class is defined.

    Args:
        settings: Checked already (`make_method` does it).
        extras: The names of targets beside the main one, for methods that take some.

    Attributes:
        settings: Its own settings.
        needs: The signals that it needs of a teacher; an instance may say so more closely than its class.
        weights: Term -> weight; the caller applies them (`total`) and logs the terms apart. `build` may leave out
            terms that the targets at hand do not have.
        modules: What is trained beside the student and dropped afterwards; filled by `build`.
        bottleneck: One of the modules, (B, D) and noise (B, D) -> (B, D), that stands between the student's backbone
            and its head in training, and nowhere else; None where there is none.
        draws: What is drawn in a step, from the seed of `build` and the step.
        notes: What a log should say about what was built.
    """

    name: str
    needs: Needs = frozenset()
    settings_type: ClassVar[type[Settings]] = Settings
    of_labels: ClassVar[frozenset[str]] = frozenset({"ce"})
    """The terms that need labels."""
    takes: ClassVar[Takes | None] = None
    """What its extras are, named as the option that gives them."""
    needs_extras: ClassVar[bool] = False
    """Whether it is nothing without them."""

    def __init__(self, settings: Settings, extras: Sequence[str] = ()) -> None:
        self.settings, self.extras = settings, tuple(extras)
        self.modules: nn.Module = nn.ModuleDict()
        self.bottleneck: nn.Module | None = None
        self.notes: tuple[str, ...] = ()
        self.draws = Draws(0)
        self.weights: dict[str, float] = self.make_weights()

    def __init_subclass__(cls) -> None:
        """Check the names of the signals.

        Raises:
            InputError: There is no such signal.
        """
        super().__init_subclass__()
        needs(*cls.needs)

    def __call__(self, out: Outputs, targets: Targets, inputs: Inputs, step: int) -> dict[str, Tensor]:
        """The unweighted terms of a batch, each a scalar, in nats.

        Nothing here waits for the device or branches on a value, so it can be compiled and captured.

        Args:
            out: The student's side.
            targets: The teacher's side, detached.
            inputs: What is known of the samples.
            step: Steps taken so far, for schedules and for what is drawn.
        """
        raise NotImplementedError

    @property
    def inputs(self) -> frozenset[str]:
        """What it needs of the samples beside what the student takes: `label`, where a term of labels has a weight."""
        return frozenset({"label"} if any(self.weights.get(term) for term in self.of_labels) else ())

    def unlabelled(self) -> None:
        """Do without labels from now on: the terms that need them are left out."""
        self.weights = {term: weight for term, weight in self.weights.items() if term not in self.of_labels}

    def parts(self, out: Outputs, targets: Targets, inputs: Inputs, step: int) -> dict[str, Part]:
        """What `__call__` is made of, for measurements: pieces that can be computed apart; empty where it is one."""
        return {}

    def reads(self, specs: Mapping[str, TargetSpec]) -> dict[str, Needs]:
        """The signals that are read of each target: what it needs of the main one, and what the extras have of it.

        An extra without embeddings, such as an RDM without a reconstruction, is read for the others. What is of classes
        is the main target's alone.

        Args:
            specs: The main target first, then the extras, by name.
        """
        main, *extras = specs
        rows = frozenset(of_rows(self.needs))
        lacks = {name: {"image_embedding"} - specs[name].arrays.keys() for name in extras}
        return {main: self.needs} | {name: rows - lacks[name] or rows for name in extras}

    def build(
        self, student: Student, specs: Mapping[str, TargetSpec], *, seed: int = 0, labels: bool = True
    ) -> nn.Module:
        """Make `modules` for a student and targets, on the CPU, their init from `seed` alone.

        Args:
            student: The student.
            specs: Of the targets by name, the main one first; none where there is no teacher.
            seed: Of the initial weights, and of what is drawn in steps.
            labels: Whether each sample has a label; see `unlabelled`.

        Raises:
            MismatchError: The target does not fit the student.
            StoreMissingError: The target lacks what the method needs.
        """
        if not self.needs:
            return self.modules
        if not specs:
            mend = "Give --store, or --source live with --teacher"
            raise StoreMissingError(f"method {self.name} needs a teacher's targets, got none", mend)
        self.draws = Draws(seed)
        self.check(student, specs)
        with seeded(seed):
            self.modules = self.make_modules(student, specs)
        if not labels:
            self.unlabelled()
        return self.modules

    @property
    def idle(self) -> frozenset[str]:
        """Settings that have no effect beside the others, or without extras; `tune` does not search them."""
        return frozenset()

    def values(self) -> dict[str, Value]:
        """Its settings by name, by which a run is compared; of a sum, METHOD.NAME."""
        return asdict(self.settings)

    def named_values(self) -> dict[str, Value]:
        """Its settings as METHOD.NAME."""
        return {f"{self.name}.{name}": value for name, value in self.values().items()}

    def make_weights(self) -> dict[str, float]:
        """Term -> weight."""
        return {"ce": 1.0}

    def check(self, student: Student, specs: Mapping[str, TargetSpec]) -> None:
        """Refuse targets that do not fit the student."""

    def make_modules(self, student: Student, specs: Mapping[str, TargetSpec]) -> nn.Module:
        """What is trained beside the student."""
        return nn.ModuleDict()


def main(specs: Mapping[str, TargetSpec]) -> TargetSpec:
    """The first of the targets."""
    return next(iter(specs.values()))


def require_same_classes(name: str, student: Student, spec: TargetSpec) -> None:
    """Logits are compared class by class, so both sides have the same number.

    Raises:
        MismatchError: They have not.
    """
    classes = spec.width("logits")
    if classes is not None and classes != student.classes:
        message = f"method {name}: the teacher's logits in {spec.name!r} are of {classes} classes"
        mend = (
            "Use a teacher of the same classes, or a method that needs embeddings only (clip-embed-kd, clip-teacher-kd)"
        )
        raise MismatchError(f"{message}, the student's of {student.classes}", mend)


def require_width(name: str, spec: TargetSpec) -> int:
    """The width of the target's embeddings.

    Raises:
        StoreMissingError: It has none.
    """
    width = spec.width("image_embedding")
    if width is None:
        mend = "Embed the data again: `teachonce embed`"
        raise StoreMissingError(f"method {name} needs embeddings, target {spec.name!r} has none", mend)
    return width


def total(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """The loss, a scalar: the weighted sum of the terms."""
    parts = [weights[name] * term for name, term in terms.items()]
    return torch.stack(parts).sum()

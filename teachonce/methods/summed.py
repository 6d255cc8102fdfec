"""Sums of methods: `kd+clip-teacher-kd` trains with the terms of both."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from teachonce.errors import InputError
from teachonce.methods.method import Method
from teachonce.methods.settings import Settings
from teachonce.methods.targets import Inputs, Outputs, Targets
from teachonce.models.student import Student
from teachonce.options.opt import Value
from teachonce.types import TargetSpec


class Summed(Method):
    """Terms: METHOD.TERM of each part, with the weights that it has alone.

    So a term that two parts share, as `ce`, counts twice; set the weight of one to 0 for once. Extras go to the parts
    that take some.

    Args:
        parts: With their settings; at least two.
        extras: The names of targets beside the main one.

    Raises:
        InputError: Two parts take other extras, or put a bottleneck into the student.
    """

    def __init__(self, parts: Sequence[Method], extras: Sequence[str] = ()) -> None:
        self.parts_of_sum = tuple(parts)
        self.name = "+".join(part.name for part in parts)
        kinds = {part.takes for part in parts} - {None}
        if len(kinds) > 1:
            raise InputError(f"{self.name}: one takes RDMs and one assistants", "Sum methods that take the same")
        super().__init__(Settings(), extras)
        self.needs = frozenset().union(*(part.needs for part in parts))

    def __call__(self, out: Outputs, targets: Targets, inputs: Inputs, step: int) -> dict[str, Tensor]:
        """See Method."""
        return {
            f"{part.name}.{name}": term
            for part in self.parts_of_sum
            for name, term in part(out, targets, inputs, step).items()
        }

    @property
    def idle(self) -> frozenset[str]:
        """See Method.idle."""
        return frozenset(f"{part.name}.{name}" for part in self.parts_of_sum for name in part.idle)

    def values(self) -> dict[str, Value]:
        """See Method.values."""
        return self.named_values()

    def named_values(self) -> dict[str, Value]:
        """See Method.named_values."""
        return {name: value for part in self.parts_of_sum for name, value in part.named_values().items()}

    def reads(self, specs: Mapping[str, TargetSpec]) -> dict[str, frozenset[str]]:
        """See Method.reads."""
        each = [part.reads(_own(part, specs)) for part in self.parts_of_sum]
        return {name: frozenset().union(*(reads.get(name, frozenset()) for reads in each)) for name in specs}

    def make_weights(self) -> dict[str, float]:
        """See Method.make_weights."""
        return {f"{part.name}.{name}": value for part in self.parts_of_sum for name, value in part.weights.items()}

    def check(self, student: Student, specs: Mapping[str, TargetSpec]) -> None:
        """See Method.check."""
        for part in self.parts_of_sum:
            if part.needs:
                part.check(student, _own(part, specs))

    @property
    def inputs(self) -> frozenset[str]:
        """See Method.inputs."""
        return frozenset().union(*(part.inputs for part in self.parts_of_sum))

    def unlabelled(self) -> None:
        """See Method.unlabelled."""
        for part in self.parts_of_sum:
            part.unlabelled()
        self.weights = self.make_weights()

    def make_modules(self, student: Student, specs: Mapping[str, TargetSpec]) -> nn.Module:
        """See Method.make_modules."""
        modules = nn.ModuleDict()
        for part in self.parts_of_sum:
            part.draws = self.draws
            if part.needs:
                part.modules = part.make_modules(student, _own(part, specs))
            modules[part.name] = part.modules
        bottlenecks = [part.bottleneck for part in self.parts_of_sum if part.bottleneck is not None]
        self.bottleneck = bottlenecks[0] if bottlenecks else None
        self.notes = tuple(note for part in self.parts_of_sum for note in part.notes)
        self.weights = self.make_weights()
        return modules


def _own(part: Method, specs: Mapping[str, TargetSpec]) -> dict[str, TargetSpec]:
    """The main target, and the extras of a part."""
    main, *_ = specs
    return {name: spec for name, spec in specs.items() if name == main or name in part.extras}

"""What one call of `bench live` measures: its cases, each at every batch size, precision and compile setting."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated

from teachonce.benchmarks.live.data import DataSpec
from teachonce.benchmarks.live.presets import Case, Preset, find_cases
from teachonce.benchmarks.live.records import CaseResult
from teachonce.engine.device import Precision
from teachonce.errors import InputError
from teachonce.methods.base import make_method
from teachonce.models.rdm import Preset as RdmPreset
from teachonce.options.methods import needs_extras, takes
from teachonce.options.opt import Value
from teachonce.records import SPARSE
from teachonce.types import TeacherDtype

LIVE = {"clip-embed-kd": "clip-teacher-kd"}
"""Methods whose live rival is another one: class means need no teacher in a step, so the paper compares with the
method that asks the teacher about each sample."""
GPU_BATCH, CPU_BATCH = 64, 8
_MOST_ROWS = 16_384


@dataclass(frozen=True, kw_only=True)
class Request:
    """A call, its defaults filled in."""

    preset: str | None
    cases: tuple[Case, ...]
    data: DataSpec
    """Without a limit; see `rows`."""
    data_text: str
    """What the data are, for people."""
    methods: tuple[str, ...]
    settings: dict[str, Value]
    """Of the methods, as METHOD.NAME."""
    distortion_weight: tuple[float, ...]
    rdm_epochs: int
    batch_sizes: tuple[int, ...]
    precisions: tuple[Precision, ...]
    teacher_dtype: Annotated[TeacherDtype | None, SPARSE] = None
    """None: that of the precision. Float32 weights would be cast in every step of the live arm under autocast."""
    compiles: tuple[bool, ...]
    rows: tuple[int, int]
    """The fewest and the most of the benchmark's own store."""
    rounds: int
    starts: int
    """Times that all arms are started; see `conduct`."""
    steps: int | None
    """None: found for each arm."""
    epoch_rows: int
    epochs: int
    device: str
    tf32: Annotated[bool, SPARSE] = False
    """Whether a GPU may round the inputs of float32 products, in stage one and in all arms."""
    threads: int | None
    workers: int | None
    seed: int
    trust_remote_code: bool

    @property
    def with_rdms(self) -> bool:
        """Whether a method learns from RDMs."""
        return any(takes(method) == "rdm" for method in self.methods) and bool(self.distortion_weight)

    def combinations(self) -> list["Combination"]:
        """All that is measured, those that share a store beside each other."""
        made = [
            Combination(
                case=case,
                batch_size=batch,
                precision=precision,
                teacher_dtype=self.teacher_dtype or precision,
                compile=compiled,
            )
            for case, precision, batch, compiled in product(
                self.cases, self.precisions, self.batch_sizes, self.compiles
            )
        ]
        stores = list(dict.fromkeys(found.store_of for found in made))
        return sorted(made, key=lambda found: stores.index(found.store_of))


@dataclass(frozen=True, kw_only=True)
class Combination:
    """One case at one setting."""

    case: Case
    batch_size: int
    precision: Precision
    teacher_dtype: TeacherDtype
    """Of the store's teacher and of the live one."""
    compile: bool

    @property
    def store_of(self) -> tuple[str, RdmPreset, Precision]:
        """What its store depends on."""
        return self.case.teacher, self.case.rdm_preset, self.precision

    @property
    def label(self) -> str:
        """`l32-32, batch 64, bf16, compiled`."""
        name = self.case.name or f"{self.case.teacher} to {self.case.student}"
        return f"{name}, batch {self.batch_size}, {self.precision}, {'compiled' if self.compile else 'eager'}"

    def is_of(self, case: CaseResult) -> bool:
        """Whether a case of a file is of this combination."""
        return self._is_alike(case) and (case.teacher_dtype or "float32") == self.teacher_dtype

    def is_of_another_teacher(self, case: CaseResult) -> bool:
        """Whether a case of a file is of this combination but for the dtype of the teacher."""
        return self._is_alike(case) and not self.is_of(case)

    def _is_alike(self, case: CaseResult) -> bool:
        own = (self.case.name, self.batch_size, self.precision, self.compile)
        return own == (case.case, case.batch_size, case.precision, case.compile)


def check_methods(methods: Sequence[str], settings: dict[str, Value], rdm: Sequence[str]) -> None:
    """Refuse methods that cannot be compared with a live teacher, before anything runs.

    Raises:
        InputError: The first such method.
    """
    if not methods:
        raise InputError("no method was given", "Use --method kd, for example")
    for index, name in enumerate(methods):
        if name in methods[:index]:
            raise InputError(f"method {name} is given twice", "Name it once")
        if needs_extras(name):
            message = f"method {name} needs targets of other models, and the temporary store has the teacher's alone"
            raise InputError(message, "Use kd, or cifd with --distortion-weight")
        extras = rdm if takes(name) == "rdm" else ()
        if takes(name) == "rdm" and not rdm:
            raise InputError(
                f"method {name} needs RDMs, and no weight was given", "Add --distortion-weight 1e4,5e3,1e3"
            )
        if not make_method(name, settings, extras).needs:
            raise InputError(f"method {name} has no teacher to compare with", "Use kd, for example")


def chosen_cases(
    preset: Preset | None, names: Sequence[str], teacher: str | None, student: str | None, image_size: int | None
) -> tuple[Case, ...]:
    """The cases of a preset, or the one of a teacher and a student.

    Raises:
        InputError: Neither, or both, or an unknown case.
    """
    if preset is not None:
        if teacher is not None or student is not None or image_size is not None:
            mend = "Leave --teacher, --student and --image-size out, or the preset"
            raise InputError(f"preset {preset.name} has its own teachers and students", mend)
        return find_cases(preset, tuple(names))
    if names:
        raise InputError("cases belong to a preset, and none was given", "Add --preset clip-embed-kd, for example")
    if teacher is None or student is None:
        mend = "Use --preset clip-embed-kd, or --teacher T --student S --data D"
        raise InputError("expected a preset, or a teacher, a student and data", mend)
    return (Case(name=None, teacher=teacher, student=student, image_size=image_size),)


def default_rows(preset: Preset | None, batch_sizes: Sequence[int], *, on_gpu: bool) -> tuple[int, int]:
    """The fewest and the most rows of the benchmark's own store.

    A preset has a fixed number, so that its cases hold the same images in memory: on a CPU, where its teachers take
    seconds a batch, two batches of the largest size, and of small images 128, so that each class has some. Of other
    data so many rows are taken as the teacher needs some seconds for; see `stage_one`.
    """
    least = 2 * max(batch_sizes)
    if preset is None:
        return max(least, 128), max(least, _MOST_ROWS)
    rows = max(least, preset.rows if on_gpu else 128 if preset.pixels < 128 else 32)
    return rows, rows

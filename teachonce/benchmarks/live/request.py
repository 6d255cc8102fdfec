"""What `bench live` can be told, checked, its defaults filled in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar, get_args

from teachonce.benchmarks.live.cases import (
    CPU_BATCH,
    GPU_BATCH,
    Request,
    check_methods,
    chosen_cases,
    default_rows,
)
from teachonce.benchmarks.live.data import DataSpec
from teachonce.benchmarks.live.presets import Preset, find_preset
from teachonce.engine.device import Precision, pick_device, pick_precision
from teachonce.engine.rdm.names import named
from teachonce.engine.settings import check_seed
from teachonce.errors import InputError
from teachonce.methods.base import METHODS
from teachonce.models.precision import parse_teacher_dtype
from teachonce.models.students import check_student

RDM_EPOCHS = 30  # of the paper
Item = TypeVar("Item")
_EPOCHS = 10  # of `train`, where no preset says otherwise


@dataclass(frozen=True, kw_only=True)
class Options:
    """As given; see `sweep.bench_live`."""

    preset: str | None
    cases: Sequence[str]
    teacher: str | None
    data: str | None
    student: str | None
    methods: Sequence[str]
    batch_size: Sequence[int]
    precision: Sequence[str]
    teacher_dtype: str | None
    compile: Sequence[bool]
    image_size: int | None
    distortion_weight: Sequence[float]
    rdm_epochs: int
    rounds: int
    starts: int
    steps: int | None
    rows: int | None
    epoch_rows: int | None
    epochs: int | None
    split: str | None
    label_column: str | None
    device: str | None
    tf32: bool
    threads: int | None
    workers: int | None
    seed: int
    trust_remote_code: bool

    def request(self) -> Request:
        """All of it, with defaults by the device.

        Raises:
            InputError: The first setting that cannot be used.
            DataError: The data cannot be opened.
        """
        self._check_numbers()
        preset = None if self.preset is None else find_preset(self.preset)
        cases = chosen_cases(preset, self.cases, self.teacher, self.student, self.image_size)
        if self.student is not None:
            check_student(self.student, self.image_size)
        device = pick_device(self.device)
        on_gpu = device.type == "cuda"
        batches = _each("batch size", self.batch_size) or (GPU_BATCH if on_gpu else CPU_BATCH,)
        precisions = tuple(dict.fromkeys(pick_precision(name, device) for name in self.precision or ("auto",)))
        assert set(precisions) <= set(get_args(Precision))
        weights = tuple(self.distortion_weight) or (() if preset is None else preset.distortion_weight)
        methods = tuple(self.methods) or (("kd",) if preset is None else preset.methods)
        settings = {} if preset is None else dict(preset.settings)
        check_methods(methods, settings, tuple(named(weights)) if weights else ())
        if self.distortion_weight and not any(METHODS[name].takes == "rdm" for name in methods):
            raise InputError("no method learns from RDMs", "Leave --distortion-weight out, or add --method cifd")
        rows = default_rows(preset, batches, on_gpu=on_gpu) if self.rows is None else (self.rows, self.rows)
        if preset is None:
            data, text, found = self._own_data()
            rows = self._within(rows, found)
        else:
            data, text, found = self._random_data(preset, rows[1])
        if max(batches) > rows[0]:
            raise InputError(f"the batch size is {max(batches)}, but there are {rows[0]} rows", "Use a smaller one")
        return Request(
            preset=self.preset,
            cases=cases,
            data=data,
            data_text=text,
            methods=methods,
            settings=dict(settings),
            distortion_weight=weights,
            rdm_epochs=self.rdm_epochs,
            batch_sizes=batches,
            precisions=precisions,
            teacher_dtype=None if self.teacher_dtype is None else parse_teacher_dtype(self.teacher_dtype),
            compiles=tuple(dict.fromkeys(self.compile)) or (False,),
            rows=rows,
            rounds=self.rounds,
            starts=min(self.starts, self.rounds),
            steps=self.steps,
            epoch_rows=self.epoch_rows or found,
            epochs=self.epochs or (_EPOCHS if preset is None else preset.epochs),
            device=str(device),
            tf32=self.tf32,
            threads=self.threads,
            workers=self.workers,
            seed=self.seed,
            trust_remote_code=self.trust_remote_code,
        )

    def _check_numbers(self) -> None:
        numbers = {
            "rounds": self.rounds,
            "starts": self.starts,
            "steps": self.steps,
            "rows": self.rows,
            "epoch_rows": self.epoch_rows,
        }
        numbers |= {"epochs": self.epochs, "rdm_epochs": self.rdm_epochs, "threads": self.threads}
        for name, value in numbers.items():
            if value is not None and value < 1:
                raise InputError(f"{name} must be at least 1, got {value}", f"Give another {name}")
        check_seed(self.seed)

    def _own_data(self) -> tuple[DataSpec, str, int]:
        """The user's data, what they are called, and how many rows there are."""
        if self.data is None:
            raise InputError("expected data in addition to a teacher and a student", "Add --data D, or use a preset")
        data = DataSpec(data=self.data, split=self.split, label_column=self.label_column)
        text = self.data if self.split is None else f"{self.data}, split {self.split}"
        text += "" if self.label_column is None else f", labels in column {self.label_column!r}"
        return data, text, data.open().rows

    def _within(self, rows: tuple[int, int], there: int) -> tuple[int, int]:
        if self.rows is not None and there < self.rows:
            raise InputError(f"rows is {self.rows}, but the data have {there}", f"Use --rows {there} or less")
        return min(rows[0], there), min(rows[1], there)

    def _random_data(self, preset: Preset, rows: int) -> tuple[DataSpec, str, int]:
        if any(given is not None for given in (self.data, self.split, self.label_column)):
            mend = "Leave --data, --split and --label-column out"
            raise InputError(f"preset {preset.name} has random images of its own", mend)
        spec = f"random:rows={rows},size={preset.pixels},classes={preset.classes},seed={self.seed}"
        text = f"random images: {preset.pixels} px, {preset.classes:,} classes"
        return DataSpec(data=spec), text, preset.epoch_rows


def _each(name: str, values: Sequence[int]) -> tuple[int, ...]:
    for value in values:
        if value < 1:
            raise InputError(f"{name} must be at least 1, got {value}", f"Give another {name}")
    return tuple(dict.fromkeys(values))


def listed(given: Item | Sequence[Item]) -> tuple[Item, ...]:
    """One value as a list of one; a text is no sequence of its letters."""
    return (given,) if isinstance(given, str | int | float) else tuple(given)  # type: ignore[arg-type]

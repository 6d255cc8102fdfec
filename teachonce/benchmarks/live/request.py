"""What `bench live` can be told, checked, its defaults filled in."""

from collections.abc import Sequence
from typing import get_args

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
from teachonce.models.precision import parse_teacher_dtype
from teachonce.models.students import check_student
from teachonce.options.live import LiveOptions
from teachonce.options.methods import takes

_EPOCHS = 10  # of `train`, where no preset says otherwise
_COMPILES = {"no": (False,), "yes": (True,), "both": (False, True)}


def request_of(options: LiveOptions) -> Request:
    """All of it, with defaults by the device.

    Raises:
        InputError: The first setting that cannot be used.
        DataError: The data cannot be opened.
    """
    check_seed(options.seed)
    preset = None if options.preset is None else find_preset(options.preset)
    cases = chosen_cases(preset, options.cases, options.teacher, options.student, options.image_size)
    if options.student is not None:
        check_student(options.student, options.image_size)
    device = pick_device(options.device)
    on_gpu = device.type == "cuda"
    batches = _each("batch size", options.batch_size) or (GPU_BATCH if on_gpu else CPU_BATCH,)
    precisions = tuple(dict.fromkeys(pick_precision(name, device) for name in options.precision or ("auto",)))
    assert set(precisions) <= set(get_args(Precision))
    weights = tuple(options.distortion_weight) or (() if preset is None else preset.distortion_weight)
    methods = tuple(options.methods) or (("kd",) if preset is None else preset.methods)
    settings = {} if preset is None else dict(preset.settings)
    check_methods(methods, settings, tuple(named(weights)) if weights else ())
    if options.distortion_weight and not any(takes(name) == "rdm" for name in methods):
        raise InputError("no method learns from RDMs", "Leave --distortion-weight out, or add --method cifd")
    rows = default_rows(preset, batches, on_gpu=on_gpu) if options.rows is None else (options.rows, options.rows)
    if preset is None:
        data, text, found = _own_data(options)
        rows = _within(options, rows, found)
    else:
        data, text, found = _random_data(options, preset, rows[1])
    if max(batches) > rows[0]:
        raise InputError(f"the batch size is {max(batches)}, but there are {rows[0]} rows", "Use a smaller one")
    return Request(
        preset=options.preset,
        cases=cases,
        data=data,
        data_text=text,
        methods=methods,
        settings=dict(settings),
        distortion_weight=weights,
        rdm_epochs=options.rdm_epochs,
        batch_sizes=batches,
        precisions=precisions,
        teacher_dtype=None if options.teacher_dtype is None else parse_teacher_dtype(options.teacher_dtype),
        compiles=_COMPILES[options.compile],
        rows=rows,
        rounds=options.rounds,
        starts=min(options.starts, options.rounds),
        steps=options.steps,
        epoch_rows=options.epoch_rows or found,
        epochs=options.epochs or (_EPOCHS if preset is None else preset.epochs),
        device=str(device),
        tf32=options.tf32,
        threads=options.threads,
        workers=options.workers,
        seed=options.seed,
        trust_remote_code=options.trust_remote_code,
    )


def _own_data(options: LiveOptions) -> tuple[DataSpec, str, int]:
    """The user's data, what they are called, and how many rows there are."""
    if options.data is None:
        raise InputError("expected data in addition to a teacher and a student", "Add --data D, or use a preset")
    data = DataSpec(data=options.data, split=options.split, label_column=options.label_column)
    text = options.data if options.split is None else f"{options.data}, split {options.split}"
    text += "" if options.label_column is None else f", labels in column {options.label_column!r}"
    return data, text, data.open().rows


def _within(options: LiveOptions, rows: tuple[int, int], there: int) -> tuple[int, int]:
    if options.rows is not None and there < options.rows:
        raise InputError(f"rows is {options.rows}, but the data have {there}", f"Use --rows {there} or less")
    return min(rows[0], there), min(rows[1], there)


def _random_data(options: LiveOptions, preset: Preset, rows: int) -> tuple[DataSpec, str, int]:
    if any(given is not None for given in (options.data, options.split, options.label_column)):
        mend = "Leave --data, --split and --label-column out"
        raise InputError(f"preset {preset.name} has random images of its own", mend)
    spec = f"random:rows={rows},size={preset.pixels},classes={preset.classes},seed={options.seed}"
    text = f"random images: {preset.pixels} px, {preset.classes:,} classes"
    return DataSpec(data=spec), text, preset.epoch_rows


def _each(name: str, values: Sequence[int]) -> tuple[int, ...]:
    for value in values:
        if value < 1:
            raise InputError(f"{name} must be at least 1, got {value}", f"Give another {name}")
    return tuple(dict.fromkeys(values))

"""Running the teacher again on a few random rows and views: is a cache still this teacher's?"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from teachonce.cache import Store, from_stored
from teachonce.cache.targets import TargetRecord
from teachonce.data.blocks import decode_blocks
from teachonce.data.samples import Samples
from teachonce.engine.cached_target import has_targets
from teachonce.engine.stage_one.batches import find_batch_size
from teachonce.engine.stage_one.contents import fingerprint_difference
from teachonce.engine.stage_one.feed import packed
from teachonce.engine.stage_one.forward import Forward, array_specs, as_stored
from teachonce.engine.stage_one.views import stored_rule
from teachonce.errors import InputError, MismatchError, UnsealedError
from teachonce.events import Events
from teachonce.models import Teacher
from teachonce.processwide import allow_tf32, current
from teachonce.types import DECODED

TOLERANCE = {"float16": 2e-3, "bfloat16": 1.6e-2, "float32": 1e-3}
"""Stored dtype -> the largest relative error of a row, |again - stored| / |stored| in the Euclidean norm: four times
the rounding of the half-precision dtypes, and what another order of summation may do to float32."""
COMPUTE_TOLERANCE = {"bfloat16": 3e-2, "float16": 4e-3, "float32": 0.0}
"""Dtype that the teacher computed in -> the least tolerance: other kernels round at every layer."""
_WORST = 10


@dataclass(frozen=True, kw_only=True)
class TeacherCheck:
    """What a teacher gave again, beside what the store holds."""

    rows: int
    """Rows that were run again, each in one view."""
    tolerance: float
    """Relative error that a row may have."""
    largest: float
    """Relative error of the worst row."""
    outside: int
    """Rows whose error is above the tolerance."""
    identical: int
    """Rows of which every array is bit for bit what is stored."""
    differs: str | None
    """The field of the fingerprint in which this teacher differs from the one that made the target; None: in none."""
    worst: list[dict[str, Any]]
    """The rows outside the tolerance, the worst first, ten at the most: row, view, array, error."""
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the cache is this teacher's."""
        return self.outside == 0 and self.differs is None


def run_again(  # noqa: PLR0913 - one comparison is all of this
    store: Store, name: str, teacher: Teacher, samples: Samples, *,
    count: int, seed: int, device: torch.device, workers: int | None, events: Events,
) -> TeacherCheck:  # fmt: skip
    """Run a teacher on random rows and views of a store, and compare.

    Args:
        store: The store.
        name: A target that a teacher made.
        teacher: On `device`.
        samples: The store's data, which has been compared.
        count: How many rows.
        seed: Of the choice.
        device: Where it runs.
        workers: Workers that decode; None: by the processors.
        events: Who watches.

    Raises:
        InputError: An RDM's target, which no teacher made.
        MismatchError: The teacher gives arrays of other widths.
        NonFiniteError: The teacher gives NaN or infinity.
    """
    record = store.sealed(name)
    _refuse_others(record, teacher)
    rows, views = _chosen(store, name, count, seed)
    forward = Forward(
        teacher, device=device, dtype=_dtype(record), compute_dtype=_compute_dtype(record), rule=stored_rule(store)
    )
    size = find_batch_size(forward, teacher.info.input, device=device, most=count)
    size = min(int(record.settings.get("batch_size", size)), size)
    errors = {array: np.zeros(len(rows)) for array in record.arrays}
    same = np.ones(len(rows), np.bool_)
    reader, place = store.target(name), 0
    allowed = bool(record.settings.get("tf32"))
    running = events.task("run the teacher again", total=len(rows))
    with current(device), allow_tf32(allowed), running as task:
        began = time.perf_counter()
        for outputs, part in _outputs(forward, samples, store, rows, views, size, workers):
            where = slice(place, place + len(part))
            for array, live in outputs.items():
                kept = reader.read(array, part, views[where])
                errors[array][where] = _error(live, kept, record.arrays[array].dtype)
                same[where] &= (live.view(np.uint8) == kept.view(np.uint8)).reshape(len(part), -1).all(axis=1)
            place += len(part)
            task.advance(len(part))
        seconds = time.perf_counter() - began
    return _judged(record, teacher, rows, views, errors, same, seconds)


def refuse_rdm(record: TargetRecord) -> None:
    """Refuse a target that no teacher made.

    Raises:
        InputError: An RDM made it.
    """
    if record.kind == "rdm":
        parent = record.fingerprint_fields.get("parent", {}).get("name")
        raise InputError(f"target {record.name!r} was made by an RDM, not by a teacher", f"Use --target {parent}")


def _refuse_others(record: TargetRecord, teacher: Teacher) -> None:
    refuse_rdm(record)
    widths = {array: spec.shape[-1] for array, spec in record.arrays.items()}
    given = {array: spec.shape[0] for array, spec in array_specs(teacher, _dtype(record)).items()}
    if widths != given:
        raise MismatchError(f"target {record.name!r} has {widths}, this teacher has {given}", "Use its own teacher")


def _dtype(record: TargetRecord) -> str:
    return next(iter(record.arrays.values())).dtype


def _compute_dtype(record: TargetRecord) -> str:
    """In which the teacher ran; float32 where another writer did not say."""
    return str(record.settings.get("compute_dtype", "float32"))


def _chosen(store: Store, name: str, count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    usable = np.flatnonzero((store.sample_status() == DECODED) & has_targets(store, name))
    if not len(usable):
        raise UnsealedError(f"no row of {store.path} has targets", "Choose another store")
    random = np.random.default_rng(seed)
    rows = np.sort(random.choice(usable, min(count, len(usable)), replace=False)).astype(np.int64)
    return rows, random.integers(0, store.spec.views, len(rows))


def _outputs(
    forward: Forward, samples: Samples, store: Store, rows: NDArray[np.int64], views: NDArray[np.int64], size: int,
    workers: int | None,
) -> Iterator[tuple[dict[str, NDArray[Any]], NDArray[np.int64]]]:  # fmt: skip
    """The teacher's outputs for batches of rows, each in its view, as they would be stored."""
    params = store.view_params()[rows, views][:, None]
    groups = [rows[start : start + size] for start in range(0, len(rows), size)]
    for number, decoded in enumerate(decode_blocks(samples, groups, workers=workers)):
        if decoded.failed:
            row, code = next(iter(decoded.failed.items()))
            raise MismatchError(f"row {row} cannot be decoded now ({code})", "Use the data the store was made from")
        images = packed(decoded, params[number * size :][: len(decoded.rows)], {}, pin=False)
        assert images is not None
        (output,) = forward(images)
        output.wait()
        output.check(decoded.rows, "float32")
        yield {array: as_stored(value) for array, value in output.arrays.items()}, decoded.rows


def _error(live: NDArray[Any], kept: NDArray[Any], dtype: str) -> NDArray[np.float64]:
    """The relative error of each row."""
    again, stored = (from_stored(values, dtype).astype(np.float64) for values in (live, kept))
    scale = np.maximum(np.linalg.norm(stored, axis=1), np.finfo(np.float32).tiny)
    error: NDArray[np.float64] = np.linalg.norm(again - stored, axis=1) / scale
    return error


def _judged(
    record: TargetRecord, teacher: Teacher, rows: NDArray[np.int64], views: NDArray[np.int64],
    errors: dict[str, NDArray[np.float64]], same: NDArray[np.bool_], seconds: float,
) -> TeacherCheck:  # fmt: skip
    tolerance = max(TOLERANCE[_dtype(record)], COMPUTE_TOLERANCE.get(_compute_dtype(record), 0.0))
    given = {**record.fingerprint_fields, "teacher": teacher.info.fingerprint()}
    found = fingerprint_difference(record.fingerprint_fields, given)
    worst = np.max(list(errors.values()), axis=0)
    outside = [index for index in np.argsort(-worst, kind="stable") if not worst[index] <= tolerance]
    return TeacherCheck(
        rows=len(rows),
        tolerance=tolerance,
        largest=float(worst.max()),
        outside=len(outside),
        identical=int(same.sum()),
        differs=None if found is None else found[0],
        worst=[_entry(int(index), rows, views, errors) for index in outside[:_WORST]],
        seconds=seconds,
    )


def _entry(
    index: int, rows: NDArray[np.int64], views: NDArray[np.int64], errors: dict[str, NDArray[np.float64]]
) -> dict[str, Any]:
    array = max(errors, key=lambda name: errors[name][index])
    return {"row": int(rows[index]), "view": int(views[index]), "array": array, "error": float(errors[array][index])}

"""A small store with many blocks, the same one every time it is made."""

import functools
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from teachonce.cache import SamplesWriter, Store, StoreSpec, TargetReader, TargetWriter, create_or_open, to_stored
from teachonce.types import DECODED, FAILED, ArraySpec

ROWS, BLOCK_ROWS, VIEWS, CLASSES = 581, 64, 2, 10
BLOCKS, HALF = 10, 5
ARRAYS = {
    "image_embedding": ArraySpec(shape=(32,), dtype="float16"),  # 64 x 32 x 2 = one page
    "logits": ArraySpec(shape=(CLASSES,), dtype="bfloat16"),  # no whole number of pages
}
FAILURES = {5: "truncated", 64: "missing", ROWS - 1: "not-an-image"}
FINGERPRINT = {"teacher": {"weights": "0a1b"}, "data": {"split": "train", "labels": "ff"}, "dtype": "float16"}
SETTINGS = {"batch_size": 32, "compute_dtype": "float32"}


def spec(**changes: Any) -> StoreSpec:
    fields: dict[str, Any] = {
        "rows": ROWS,
        "views": VIEWS,
        "block_rows": BLOCK_ROWS,
        "identity": "array",
        "data": {"description": "made", "class_names": list("abcdefghij")},
        "views_spec": {"augment": "crop=0.35,flip", "seed": 0},
    }
    return StoreSpec(**{**fields, **changes})


def labels(rows: int = ROWS) -> np.ndarray:
    values = (np.arange(rows, dtype=np.int32) * 7) % CLASSES
    values[::11] = -1
    return values


def values(name: str, length: int, rows: int, views: int) -> np.ndarray:
    """The float32 values of a target's array, (rows, views, length)."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")
    return np.random.default_rng(seed).normal(size=(rows, views, length)).astype(np.float32)


@functools.lru_cache(maxsize=8)
def _stored_values(name: str, dtype: str, length: int, rows: int, views: int) -> np.ndarray:
    result = to_stored(values(name, length, rows, views), dtype)
    result.flags.writeable = False
    return result


def stored_values(name: str, spec_: ArraySpec, rows: int = ROWS, views: int = VIEWS) -> np.ndarray:
    """The same, as stored and in memory of its own."""
    return _stored_values(name, spec_.dtype, spec_.shape[0], rows, views).copy()


def params(rows: int, views: int) -> np.ndarray:
    return np.random.default_rng(1).random((rows, views, 6), dtype=np.float32)


def head(length: int = 32) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    return rng.normal(size=(CLASSES, length)).astype(np.float32), rng.normal(size=CLASSES).astype(np.float32)


def open_writer(store: Store, name: str = "teacher", **changes: Any) -> TargetWriter:
    arguments: dict[str, Any] = {
        "kind": "classifier",
        "fingerprint": FINGERPRINT,
        "settings": SETTINGS,
        "info": {"class_names": list("abcdefghij"), "versions": {"numpy": "2"}},
        "arrays": ARRAYS,
        "head": head(),
    }
    return TargetWriter(store, name, **{**arguments, **changes})


def commit_samples(store: Store, writer: SamplesWriter, block: int, failed: Mapping[int, str] = FAILURES) -> None:
    start, stop = store.block_range(block)
    chosen = {row: code for row, code in failed.items() if start <= row < stop}
    rows, views = store.spec.rows, store.spec.views
    writer.commit(
        block,
        np.arange(start, stop, dtype=np.uint64) * 3,
        labels(rows)[start:stop],
        status(start, stop, chosen),
        params(rows, views)[start:stop],
        chosen,
    )


def commit_target(store: Store, writer: TargetWriter, block: int, failed: Mapping[int, str] = FAILURES) -> None:
    start, stop = store.block_range(block)
    chosen = {row: code for row, code in failed.items() if start <= row < stop}
    rows, views = store.spec.rows, store.spec.views
    arrays = {}
    for array in writer.journal.grids:
        if array.name != "status":
            given = ArraySpec(shape=array.shape[-1:], dtype=array.dtype)
            arrays[array.name] = _stored_values(array.name, given.dtype, given.shape[0], rows, views)[start:stop]
    writer.commit(block, arrays, status(start, stop, chosen), chosen)


def status(start: int, stop: int, failed: Mapping[int, str]) -> np.ndarray:
    result = np.full(stop - start, DECODED, dtype=np.uint8)
    result[[row - start for row in failed]] = FAILED
    return result


def build(
    path: Path,
    *,
    name: str = "teacher",
    spec_: StoreSpec | None = None,
    failed: Mapping[int, str] = FAILURES,
    between: Callable[[int], None] = lambda block: None,
    seal: bool = True,
    **changes: Any,
) -> Store:
    """What `teachonce embed` does with a store: create or open, commit what is not there, seal."""
    store = create_or_open(path, spec_ or spec())
    with SamplesWriter(store) as samples, open_writer(store, name, **changes) as target:
        for block in range(store.blocks):
            if block not in samples.done():
                commit_samples(store, samples, block, failed)
            if block not in target.done():
                commit_target(store, target, block, failed)
            between(block)
        if seal:
            samples.seal()
            seal_target(target)
    return store


def seal_target(target: TargetWriter, **changes: Any) -> None:
    arguments = {"labels": labels(target.store.spec.rows), "classes": CLASSES, "per_class": 20, "max_failed": 3}
    target.seal(**{**arguments, **changes})


def read_some(reader: TargetReader, numbers: np.ndarray) -> np.ndarray:
    return reader.read("image_embedding", numbers, numbers % VIEWS)


def tree(path: Path) -> dict[str, bytes | None]:
    """Every file's bytes and every folder, by its path."""
    return {str(p.relative_to(path)): p.read_bytes() if p.is_file() else None for p in sorted(path.rglob("*"))}


class Stop(Exception):
    pass


def stop_after(block: int) -> Callable[[int], None]:
    def between(done: int) -> None:
        if done == block:
            raise Stop

    return between

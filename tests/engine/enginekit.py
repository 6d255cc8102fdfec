"""Small data, teachers and stores for the tests of the engine and of the stages above it."""

from pathlib import Path

import numpy as np
import torch

from teachonce.cache.store import Store, open_store
from teachonce.cache.writer import TargetWriter
from teachonce.data.digits import load_digits
from teachonce.data.samples import ArraySamples
from teachonce.models.teacher import Teacher, load_teacher
from teachonce.stages.embed import embed
from teachonce.types import DECODED, FAILED, ArraySpec

BLOCK = 64
VIT = "vit:patch=8,width=32,layers=1,heads=2"
DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}


def digits(rows: int | None = 200, split: str = "train") -> ArraySamples:
    return load_digits(split, rows)


def some(samples: ArraySamples, **changes: object) -> ArraySamples:
    """The same samples with other images, labels or class_names."""
    parts = {"images": samples.images, "labels": samples.labels, "class_names": samples.class_names} | changes
    return ArraySamples(parts["images"], parts["labels"], parts["class_names"])


def make_teacher(
    spec: str = VIT, classes: int = 10, seed: int = 0, dtype: str = "float32", image_size: int = 32
) -> Teacher:
    return load_teacher(spec, image_size=image_size, classes=classes, seed=seed, dtype=dtype)


def make_store(
    path: Path,
    *,
    samples: ArraySamples | None = None,
    teacher: Teacher | None = None,
    dtype: str = "float16",
    views: int = 1,
    per_class: int | None = 5,
) -> Store:
    """A sealed store of blocks of 64 rows, run in batches of 64."""
    embed(
        teacher=teacher or make_teacher(),
        data=samples or digits(),
        store=path,
        dtype=dtype,
        views=views,
        augment="crop=0.5,flip" if views > 1 else None,
        block_rows=BLOCK,
        batch_size=BLOCK,
        per_class=per_class,
        device="cpu",
        workers=0,
    )
    return open_store(path)


def shift(store: Store, name: str = "shifted", *, head: bool = True, rows: int = 1) -> None:
    """Add a target that is the store's own, but each row holds what belongs to its neighbour."""
    reader, labels = store.target("teacher"), store.labels()
    stored = {
        array: np.roll(np.stack([reader.all(array, v) for v in range(store.spec.views)], 1), rows, axis=0)
        for array in reader.spec.arrays
    }
    specs = {array: ArraySpec(shape=spec.shape[2:], dtype=spec.dtype) for array, spec in reader.spec.arrays.items()}
    add_target(store, name, stored, specs, head=store.head("teacher") if head else None, labels=labels)


def add_target(
    store: Store,
    name: str,
    arrays: dict[str, np.ndarray],
    specs: dict[str, ArraySpec],
    *,
    head: tuple[np.ndarray, np.ndarray | None] | None,
    labels: np.ndarray | None,
    failed: tuple[int, ...] = (),
) -> None:
    """Add a target with these values, (rows, views, length) as stored; the rows of `failed` have none."""
    status = np.full(store.spec.rows, DECODED, np.uint8)
    status[list(failed)] = FAILED
    writer = TargetWriter(
        store, name, kind="classifier", fingerprint={"made": name}, settings={}, info={}, arrays=specs, head=head
    )
    with writer:
        for block in range(store.blocks):
            start, stop = store.block_range(block)
            part = {array: np.ascontiguousarray(values[start:stop]) for array, values in arrays.items()}
            writer.commit(block, part, status[start:stop], {row: "damaged" for row in failed if start <= row < stop})
        writer.seal(labels=labels, classes=None if labels is None else 10, per_class=5, max_failed=len(failed))

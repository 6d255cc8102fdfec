"""Small stores whose embeddings are principal components of digits, made without a teacher; and short trainings."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from teachonce.cache import SamplesWriter, Store, StoreSpec, TargetWriter, create_or_open, to_stored
from teachonce.data.digits import load_digits
from teachonce.stages.rdm import RdmResult, rdm
from teachonce.types import DECODED, FAILED, ArraySpec
from tests.memory import memory_folder as memory_folder

ROWS, WIDTH, BLOCK, CLASSES = 300, 16, 64, 10
NAMES = [f"digit {number}" for number in range(CLASSES)]
VIEW = {"augment": None, "seed": 0, "view": {"resize": None, "crop": None}}


@functools.lru_cache(maxsize=4)
def components(rows: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Whitened principal components (rows, 16) times 3, and the labels."""
    digits = load_digits("all", rows)
    pixels = np.stack([image[..., 0].reshape(-1) for image in digits.images]).astype(np.float64)
    left, _, _ = np.linalg.svd(pixels - pixels.mean(0), full_matrices=False)
    return 3 * np.sqrt(rows) * left[:, :WIDTH], digits.labels


def head(embedding: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A linear classifier by least squares: weight (10, 16), bias (10,)."""
    wide = np.c_[embedding, np.ones(len(embedding))]
    solved = np.linalg.lstsq(wide, 10 * np.eye(CLASSES)[labels], rcond=None)[0].T
    return solved[:, :-1].astype(np.float32), solved[:, -1].astype(np.float32)


def make(
    path: Path,
    *,
    rows: int = ROWS,
    views: int = 1,
    dtype: str = "float32",
    labelled: bool = True,
    unlabelled: tuple[int, ...] = (),
    logits: bool = True,
    keep_head: bool = False,
    failed: Mapping[int, str] | None = None,
    broken: tuple[int, ...] = (),
    factor: float = 1.0,
    class_names: list[str] | None = None,
    seal: bool = True,
) -> Store:
    """A store with a target `teacher`; `failed` samples gave no image, rows of `broken` failed in the teacher only."""
    embedding, labels = components(rows)
    noise = np.random.default_rng(0).normal(size=(rows, views, WIDTH)) * np.arange(views)[None, :, None]
    values = (factor * (embedding[:, None] + noise)).astype(np.float32)
    weight, bias = head(factor * embedding, labels)
    arrays = {"image_embedding": to_stored(values, dtype)}
    if logits:
        arrays["logits"] = to_stored(values @ weight.T + bias, dtype)
    stored_labels = labels.astype(np.int32) if labelled else np.full(rows, -1, np.int32)
    stored_labels[list(unlabelled)] = -1
    data = {"description": {}, "class_names": NAMES if labelled else None, "labels": None}
    spec = StoreSpec(rows=rows, views=views, block_rows=BLOCK, identity="array", data=data, views_spec=VIEW)
    store = create_or_open(path, spec)
    gone = dict(failed or {})
    bad = gone | dict.fromkeys(broken, "spoiled")
    writer = TargetWriter(
        store,
        "teacher",
        kind="classifier" if logits or keep_head else "encoder",
        fingerprint={"teacher": {"weights": "0a1b"}, "dtype": dtype, "factor": factor},
        settings={},
        info={"teacher": "made", "embedding": "penultimate", "class_names": class_names or NAMES},
        arrays={name: ArraySpec(shape=value.shape[2:], dtype=dtype) for name, value in arrays.items()},
        head=(weight, bias) if keep_head else None,
    )
    with SamplesWriter(store) as samples, writer:
        for block in range(store.blocks):
            start, stop = store.block_range(block)
            params = np.tile(np.array([0, 0, 1, 1, 0, 0], np.float32), (stop - start, views, 1))
            digest = np.arange(start, stop, dtype=np.uint64) * 7 + 1
            status, codes = _status(start, stop, gone)
            samples.commit(block, digest, stored_labels[start:stop], status, params, codes)
            status, codes = _status(start, stop, bad)
            part = {name: np.ascontiguousarray(value[start:stop]) for name, value in arrays.items()}
            writer.commit(block, part, status, codes)
        if seal:
            samples.seal()
            writer.seal(
                labels=stored_labels if labelled else None,
                classes=CLASSES if labelled else None,
                per_class=5,
                max_failed=len(bad),
            )
    return store


def _status(start: int, stop: int, failed: Mapping[int, str]) -> tuple[np.ndarray, dict[int, str]]:
    codes = {row: code for row, code in failed.items() if start <= row < stop}
    status = np.full(stop - start, DECODED, np.uint8)
    status[[row - start for row in codes]] = FAILED
    return status, codes


def quick(store: Path, *distortion_weight: float, **changed: Any) -> RdmResult:
    """Two epochs of small batches."""
    common: dict[str, Any] = {"epochs": 2, "batch_size": 32, "val_fraction": 0.2, "device": "cpu"}
    common["distortion_weight"] = distortion_weight or (10.0, 1.0)
    return rdm(store=store, **(common | changed))


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes; without what lies beside a store and holds times."""
    beside = (".runs.jsonl", ".verified.json")
    files = (p for p in sorted(folder.rglob("*")) if p.is_file() and not p.name.endswith(beside))
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}

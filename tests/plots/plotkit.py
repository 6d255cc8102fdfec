"""A small store with a teacher and RDM targets as the stage writes them, but made up."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from teachonce.cache import SamplesWriter, Store, StoreSpec, TargetWriter, create_or_open, to_stored
from teachonce.types import DECODED, FAILED, ArraySpec

ROWS, CLASSES, WIDTH, VIEWS = 200, 4, 8, 1
NAMES = ("ant", "bee", "cat", "$dog$")
FAILED_ROW = 7
TEACHER_MACS = 1_000_000
WEIGHTS = (1.0, 10.0, 100.0)
RDM_EPOCHS = 5
TEACHER_TOP1 = 0.85


def labels(rows: int = ROWS) -> np.ndarray:
    values = np.arange(rows, dtype=np.int32) % CLASSES
    values[::13] = -1
    return values


def embeddings(noise: float, rows: int = ROWS, width: int = WIDTH) -> np.ndarray:
    """(rows, 1, width): a bump for each class, and noise."""
    rng = np.random.default_rng(int(1000 * noise))
    values = rng.normal(0, noise, (rows, width))
    values[np.arange(rows), np.arange(rows) % CLASSES] += 3
    return values[:, None].astype(np.float32)


def make_store(path: Path, *, with_labels: bool = True, names: Sequence[str] = NAMES) -> Store:
    """Samples and a teacher whose logits are the first columns of its embedding."""
    data = {"description": {}, "class_names": list(names), "labels": None}
    spec = StoreSpec(rows=ROWS, views=VIEWS, block_rows=64, identity="array", data=data, views_spec={})
    store = create_or_open(path, spec)
    given = labels() if with_labels else np.full(ROWS, -1, np.int32)
    with SamplesWriter(store) as samples:
        for block in range(store.blocks):
            start, stop = store.block_range(block)
            digests = np.arange(start, stop, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
            params = np.zeros((stop - start, VIEWS, 6), np.float32)
            samples.commit(block, digests, given[start:stop], np.full(stop - start, DECODED, np.uint8), params, {})
        samples.seal()
    values = embeddings(1.0)
    add_target(store, "teacher", {"image_embedding": values, "logits": values[..., :CLASSES]}, failed=[FAILED_ROW])
    return store


def add_target(
    store: Store,
    name: str,
    arrays: Mapping[str, np.ndarray],
    *,
    kind: str = "classifier",
    fingerprint: Mapping[str, Any] | None = None,
    info: Mapping[str, Any] | None = None,
    failed: Sequence[int] = (),
    head: tuple[np.ndarray, np.ndarray | None] | None = None,
    seal: bool = True,
) -> None:
    specs = {key: ArraySpec(shape=value.shape[2:], dtype="float16") for key, value in arrays.items()}
    with TargetWriter(
        store,
        name,
        kind=kind,
        fingerprint=fingerprint or {"teacher": {"weights": name}},
        settings={},
        info=info or {"macs": TEACHER_MACS, "class_names": list(NAMES)},
        arrays=specs,
        head=head,
    ) as writer:
        for block in range(store.blocks):
            start, stop = store.block_range(block)
            bad = {row: "truncated" for row in failed if start <= row < stop}
            status = np.full(stop - start, DECODED, np.uint8)
            status[[row - start for row in bad]] = FAILED
            part = {key: to_stored(value[start:stop], "float16") for key, value in arrays.items()}
            writer.commit(block, part, status, bad)
        if seal:
            writer.seal(labels=store.labels(), classes=CLASSES, per_class=None, max_failed=len(failed))


def remake(store: Store, name: str = "teacher") -> None:
    """Put another target in the place of one."""
    for folder in ("targets", "journal", "classes"):
        shutil.rmtree(store.path / folder / name)
    values = embeddings(0.5)
    arrays = {"image_embedding": values, "logits": values[..., :CLASSES]}
    add_target(store, name, arrays, failed=[FAILED_ROW], fingerprint={"teacher": {"weights": "others"}})


def add_rdm(
    store: Store,
    weight: float,
    *,
    reconstructs: bool = True,
    parent: str = "teacher",
    top1: bool = True,
    **changed: Any,
) -> None:
    """An RDM target: the larger its R, the more bits, the nearer to the teacher, the more accurate."""
    place = np.log10(weight)
    curve = [
        {
            "epoch": epoch,
            "bits": 40 + 30 * place + 20 / epoch,
            "val_loss": 3 / epoch,
            "distortion": 9 / (1 + place) / epoch if reconstructs else None,
            "ce": 1.0,
            "kl": 1.0,
            "val_top1": 0.5 + 0.08 * place - 0.02 * (epoch == RDM_EPOCHS),
        }
        for epoch in range(1, RDM_EPOCHS + 1)
    ]
    best = curve[RDM_EPOCHS - 2]
    sealed = store.sealed(parent)
    settings = {
        "preset": "general",
        "distortion": "mse",
        "reduction": "sum",
        "epochs": RDM_EPOCHS,
        "val_fraction": 0.2,
        "seed": 3,
        "distortion_weight": weight,
    }
    arrays = {"logits": embeddings(1.5)[..., :CLASSES]}
    if reconstructs:
        arrays["image_embedding"] = embeddings(0.8 + 1 / weight)
    add_target(
        store,
        f"rdm-{weight:g}",
        arrays,
        kind="rdm",
        fingerprint={
            "rdm": settings | changed,
            "parent": {"name": parent, "fingerprint": sealed.fingerprint, "content": sealed.seal["journal"]},
            "dtype": "float16",
        },
        info={
            "rdm_spec": {"preset": "general" if reconstructs else "cnn", "embedding_dim": WIDTH, "classes": CLASSES},
            "curve": curve,
            "bits": best["bits"],
            "top1": best["val_top1"] if top1 else None,
            "best_epoch": best["epoch"],
            "teacher_top1": TEACHER_TOP1 if top1 else None,
            "macs": 1000,
        },
        failed=[FAILED_ROW],
    )

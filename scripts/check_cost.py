"""What checking costs a training step, and what `verify` costs beside reading the same files; ratios of one run.

    python scripts/check_cost.py steps  --gigabytes 1 --rounds 3
    python scripts/check_cost.py verify --gigabytes 2 --rounds 5
    python scripts/check_cost.py teacher --rounds 2

`steps`: three arms take turns in changing order, each with the same student and batches of a full shuffle, as many as
touch every chunk.
`unchecked` reads the mapped store as one with a verified mark is read; `first touch` opens it anew in every round, so
that each chunk is checked when its first row is read; `checked` reads it after the last chunk was checked.
`verify`: reading all files of a store, and `teachonce.verify`, each after the files were evicted from the page cache;
with --warm, without that.
`teacher`: running a ViT-B/16 again on 256 rows of a store, and its bare forward pass over as many rendered images.
"""

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from teachonce.cache import Store, StoreSpec, TargetReader, open_store
from teachonce.cache.samples import SamplesWriter
from teachonce.cache.store import create_or_open
from teachonce.cache.writer import TargetWriter
from teachonce.data.digits import load_digits
from teachonce.engine.cached_target import as_tensor
from teachonce.engine.readahead import ReadAhead
from teachonce.models.students import build_student
from teachonce.models.teacher import load_teacher
from teachonce.stages.embed import embed
from teachonce.stages.verify import verify
from teachonce.types import DECODED, ArraySpec

WIDTH, BLOCK = 1024, 2048  # float16: chunks of 4 MiB
BATCH, TOUCHES = 128, 8  # rows that a round reads of each chunk: of 3,000 chunks one is not touched


def make_store(path: Path, gigabytes: float) -> Store:
    """A sealed store of random embeddings."""
    rows = int(gigabytes * 1e9 / (2 * WIDTH)) // BLOCK * BLOCK
    view = {"augment": None, "seed": None, "view": {"resize": None, "crop": None}}
    spec = StoreSpec(
        rows=rows,
        views=1,
        block_rows=BLOCK,
        identity="array",
        data={"class_names": None, "labels": None},
        views_spec=view,
    )
    store, drawn = create_or_open(path, spec), np.random.default_rng(0)
    arrays = {"image_embedding": ArraySpec(shape=(WIDTH,), dtype="float16")}
    target = TargetWriter(
        store,
        "teacher",
        kind="encoder",
        fingerprint={},
        settings={"batch_size": 1, "compute_dtype": "float32"},
        info={},
        arrays=arrays,
    )
    with SamplesWriter(store) as samples, target:
        for block in range(store.blocks):
            start, stop = store.block_range(block)
            status = np.full(stop - start, DECODED, np.uint8)
            params = np.tile(np.array([0, 0, 1, 1, 0, 0], np.float32), (stop - start, 1, 1))
            digests = np.arange(start, stop, dtype=np.uint64)
            samples.commit(block, digests, np.full(stop - start, -1, np.int32), status, params, {})
            values = drawn.standard_normal((stop - start, 1, WIDTH), np.float32).astype(np.float16)
            target.commit(block, {"image_embedding": values}, status, {})
        samples.seal()
        target.seal(labels=None, classes=None, per_class=None, max_failed=0)
    return open_store(path)


def steps(store: Store, rounds: int) -> dict[str, object]:
    """Milliseconds of a step by arm, and ratios to the unchecked one."""
    student = build_student("vit:patch=4,width=256,layers=6,heads=8", classes=WIDTH, image_size=32, seed=0)
    optimiser = torch.optim.AdamW(student.parameters(), 1e-4)
    images = torch.randn(BATCH, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    checked = store.target("teacher", budget_bytes=0)
    checked.open(["image_embedding"])
    while checked.check_next():
        pass
    arms: dict[str, Callable[[], TargetReader]] = {
        "unchecked": lambda: store.target("teacher", budget_bytes=0, check="marked"),
        "first touch": lambda: store.target("teacher", budget_bytes=0),
        "checked": lambda: checked,
    }
    drawn, order, times = np.random.default_rng(1), random.Random(0), {name: [] for name in arms}
    count = max(1, TOUCHES * store.blocks // BATCH)
    for turn in range(rounds + 1):
        rows = drawn.permutation(store.spec.rows)[: count * BATCH].astype(np.int64)
        for name in order.sample(list(arms), len(arms)):
            began = time.perf_counter()
            reader = arms[name]()
            ahead = ReadAhead(lambda r, v, reader=reader: as_tensor(reader.read("image_embedding", r, v)))
            ahead.plan(np.split(rows, count), 0)
            for part in np.split(rows, count):
                logits = student(images)[1]
                loss = F.mse_loss(logits, ahead.take(part, 0).float())
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            ahead.close()
            if turn:
                times[name].append((time.perf_counter() - began) / count * 1e3)
    ratio = {n: [a / b for a, b in zip(times[n], times["unchecked"], strict=True)] for n in ("first touch", "checked")}
    found = {name: quartiles(values) for name, values in ratio.items()}
    medians = {name: round(statistics.median(values), 1) for name, values in times.items()}
    return {"step_ms": medians, "over_unchecked": found, "steps": count, "batch": BATCH, "rounds": rounds}


def evict(store: Path) -> None:
    """Drop the files of a store from the page cache."""
    for file in store.rglob("*"):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def read_all(store: Path) -> int:
    """Read every file, each whole, one after the other; the bytes."""
    total, buffer = 0, bytearray(4 << 20)
    for file in sorted(store.rglob("*")):
        if file.is_file():
            with file.open("rb", buffering=0) as opened:
                while count := opened.readinto(buffer):
                    total += count
    return total


def verifying(store: Store, rounds: int, *, warm: bool) -> dict[str, object]:
    """The speed of `verify` over that of reading the same files, in pairs."""
    ratios, size = [], read_all(store.path)
    for turn in range(rounds):
        seconds = {}
        for name in ("read", "verify") if turn % 2 else ("verify", "read"):
            if not warm:
                evict(store.path)
            began = time.perf_counter()
            if name == "read":
                read_all(store.path)
            else:
                result = verify(store=store.path)
                assert result.ok
                assert result.bytes == size, (result.bytes, size)
            seconds[name] = time.perf_counter() - began
        ratios.append(seconds["read"] / seconds["verify"])
    return {"bytes": size, "speed_over_reading": quartiles(ratios), "warm": warm, "last": seconds}


def running_again(folder: Path, rounds: int) -> dict[str, object]:
    """The seconds of the teacher's part of `verify` over those of bare forward passes, in pairs."""
    model = load_teacher("vit:patch=16,width=768,layers=12,heads=12", image_size=224, classes=10)
    data, size, ratios = load_digits("all", 256), 32, []
    embed(teacher=model, data=data, store=folder / "s.zarr", batch_size=size, device="cpu", workers=0)
    pixels = torch.randn(size, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    for turn in range(rounds):
        seconds = {}
        for name in ("bare", "again") if turn % 2 else ("again", "bare"):
            began = time.perf_counter()
            if name == "bare":
                with torch.inference_mode():
                    for _ in range(256 // size):
                        model(pixels)
                seconds[name] = time.perf_counter() - began
            else:
                result = verify(store=folder / "s.zarr", data=data, teacher=model, device="cpu", workers=0).teacher
                assert result is not None
                assert result.ok
                seconds[name] = result.seconds
        ratios.append(seconds["again"] / seconds["bare"])
    return {"again_over_bare": quartiles(ratios), "rows": 256, "rounds": rounds}


def quartiles(values: list[float]) -> dict[str, float]:
    """Median and quartiles."""
    low, median, high = np.percentile(values, [25, 50, 75])
    return {"median": round(float(median), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["steps", "verify", "teacher"])
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="Where the store is made; a temporary folder if absent.")
    parser.add_argument("--warm", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        if given.what == "teacher":
            print(json.dumps(running_again(Path(folder), given.rounds)))  # noqa: T201
            return
        store = make_store(Path(folder) / "s.zarr", given.gigabytes)
        found = steps(store, given.rounds) if given.what == "steps" else verifying(store, given.rounds, warm=given.warm)
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main()

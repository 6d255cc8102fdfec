"""The parts of the GPU page: what each measures, in the order of their worth."""

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_embed import bench_embed
from bench_rdm import bench_rdm
from torch.utils.data import DataLoader, Dataset, TensorDataset

import teachonce
from teachonce.benchmarks.live.data import random_samples
from teachonce.benchmarks.live.presets import CLIP_EMBED_KD
from teachonce.benchmarks.live.sweep import bench_live
from teachonce.benchmarks.rounds import paired_ratio
from teachonce.records import to_json
from teachonce.stages.embed import embed

BATCH = 64
TINY = {"teacher": "vit:patch=8,width=32,layers=1,heads=2,size=32", "student": "vit:patch=8,width=16,layers=1,heads=2"}
ROUNDS = 5


@dataclass(frozen=True, kw_only=True)
class Part:
    """A measurement by itself."""

    name: str
    title: str
    kind: str
    seconds: float
    """At most."""
    options: dict[str, Any] = field(default_factory=dict)


def parts(*, small: bool) -> list[Part]:
    """All of them, the most important first: what is cut off at the end is worth least."""
    return list(_small() if small else _full())


def _full() -> Iterator[Part]:
    yield _live("l32-32", 150)
    yield _stage("l32", 90)
    yield _live("b16-32", 120)
    yield _live("l32-32", 120, teacher_dtype="float32")
    yield _live("l32-32", 120, precision="float32", teacher_dtype="float32")
    spec = {
        "teacher": _teacher("l32"),
        "teacher_dtype": "bf16",
        "count": 3,
        "rounds": 10,
        "steps": 10,
        "teacher_batch": BATCH,
    }
    yield Part(name="rdms", title="three RDMs together", kind="rdm", seconds=60, options=spec)
    loader = {"teacher": _teacher("b16"), "rows": 16384, "batch_size": 256, "workers": (0, 8)}
    yield Part(name="loader", title="the store read by a DataLoader", kind="loader", seconds=90, options=loader)
    yield _live("l32-32", 180, compile="yes")
    yield _live("b16-64", 120)
    yield _stage("b16", 90)
    yield _live("b16-32", 180, compile="yes")
    yield _live("l32-32", 120, precision="float32", teacher_dtype="float32", tf32=True)
    for case in ("l32-32-large", "b16-64-large", "l32-64", "b16-32-large", "l32-64-large", "b16-64"):
        if case != "b16-64":
            yield _live(case, 120)
        yield _live(case, 180, compile="yes")


def _small() -> Iterator[Part]:
    data = {"data": "random:rows=64,size=32,classes=10", "image_size": 32, "epoch_rows": 1000, "epochs": 10}
    quick = {"batch_size": 8, "rounds": 1, "starts": 1, "steps": 1, "rows": 32, "workers": 0, "threads": 1}
    tiny = {**TINY, **data, **quick, "methods": ("clip-embed-kd", "clip-teacher-kd"), "precision": "float32"}
    yield Part(name="live", title="live against cached", kind="live", seconds=600, options=tiny)
    rows = {"rows": 64, "size": 32, "rounds": 1}
    yield Part(
        name="stage-one", title="stage one", kind="stage", seconds=120, options={"teacher": TINY["teacher"], **rows}
    )
    spec = {"teacher": TINY["teacher"], "count": 2, "rounds": 2, "steps": 1, "teacher_batch": 4, "hidden": 16}
    yield Part(name="rdms", title="two RDMs together", kind="rdm", seconds=120, options=spec)
    loader = {"teacher": TINY["teacher"], "rows": 128, "batch_size": 32, "workers": (0,)}
    yield Part(name="loader", title="the store read by a DataLoader", kind="loader", seconds=120, options=loader)


def _teacher(key: str) -> str:
    return CLIP_EMBED_KD.cases[f"{key}-32"].teacher


def _live(case: str, seconds: float, **options: Any) -> Part:
    """A case of the preset: in bf16 and eager, with a bf16 teacher, unless told otherwise."""
    given = {"precision": "bf16", "teacher_dtype": "bf16", "compile": "no", "tf32": False, **options}
    words = [case, given["precision"], "tf32" if given["tf32"] else ""]
    words += [f"{given['teacher_dtype']}-teacher" if given["teacher_dtype"] != given["precision"] else ""]
    name = "-".join(["live", *filter(None, words), *(["compiled"] if given["compile"] == "yes" else [])])
    preset = {"preset": CLIP_EMBED_KD.name, "cases": case, "batch_size": BATCH, "rounds": ROUNDS, "starts": 1}
    return Part(name=name, title="live against cached", kind="live", seconds=seconds, options={**preset, **given})


def _stage(key: str, seconds: float) -> Part:
    spec = {"teacher": _teacher(key), "teacher_dtype": "bf16", "rows": 16384, "size": 32, "rounds": 3}
    return Part(name=f"stage-one-{key}", title="stage one", kind="stage", seconds=seconds, options=spec)


def run_part(part: Part, device: str) -> dict[str, Any]:
    """Measure it, here and now; JSON."""
    teachonce.keep_freed()
    return KINDS[part.kind](device=device, **part.options)


def live(*, device: str, **options: Any) -> dict[str, Any]:
    """See `bench_live`."""
    return to_json(bench_live(device=device, **options))


def stage(*, device: str, rows: int, size: int, **options: Any) -> dict[str, Any]:
    """Stage one over images in memory, against the teacher's bare forward pass."""
    data = f"random:rows={rows},size={size},classes=100"
    return to_json(bench_embed(data=data, device=device, **options))


def rdm(*, device: str, **options: Any) -> dict[str, Any]:
    """See `bench_rdm`."""
    return to_json(bench_rdm(device=device, **options))


class Images(Dataset[Any]):
    """Images in memory, as a user's dataset has them."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.from_numpy(self.images[index])


def loader(*, device: str, teacher: str, rows: int, batch_size: int, workers: Sequence[int]) -> dict[str, Any]:
    """Epochs of a DataLoader over images with their targets from the store, beside one with targets in memory.

    Returns:
        Workers -> rows a second of both, and the ratio of the rounds' times.
    """
    samples = random_samples(f"random:rows={rows},size=32,classes=100")
    images = np.stack([samples.decode(row) for row in range(rows)])
    with tempfile.TemporaryDirectory(prefix="teachonce-gpu-loader-") as folder:
        embed(teacher=teacher, data=samples, store=Path(folder) / "s.zarr", device=device)
        cached = teachonce.CachedTeacher(Path(folder) / "s.zarr", arrays=["image_embedding"], device=device)
        joined = cached.dataset(Images(images), arrays=lambda dataset, index: dataset.images[index])
        there = torch.stack([targets["image_embedding"] for _, targets in map(joined.__getitem__, range(rows))])
        memory = TensorDataset(torch.from_numpy(images), there)
        widths = {"rows": rows, "batch_size": batch_size, "embedding_dim": there.shape[1], "dtype": str(there.dtype)}
        return widths | {
            "workers": {
                str(count): _epochs({"store": joined, "memory": memory}, batch_size, count) for count in workers
            }
        }


def _epochs(datasets: dict[str, Dataset[Any]], batch_size: int, workers: int) -> dict[str, Any]:
    loaders = {
        name: DataLoader(dataset, batch_size, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
        for name, dataset in datasets.items()
    }
    times: dict[str, list[float]] = {name: [] for name in loaders}
    for index, name in itertools.product(range(ROUNDS + 1), loaders):
        began = time.perf_counter()
        rows = sum(len(batch[0]) for batch in loaders[name])
        times[name] += [time.perf_counter() - began] if index else []
    rates = {f"{name}_rows_per_s": rows / statistics.median(values) for name, values in times.items()}
    return {**rates, "store_over_memory": asdict(paired_ratio(times["store"], times["memory"]))}


KINDS: dict[str, Callable[..., dict[str, Any]]] = {"live": live, "stage": stage, "rdm": rdm, "loader": loader}

"""What stage one costs beside the teacher itself: the whole pipeline over the bare forward pass, in one run."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from teachonce.benchmarks.live.data import DataSpec
from teachonce.benchmarks.origin import device_name, origin
from teachonce.benchmarks.parts import EmbedBench
from teachonce.benchmarks.rounds import paired_ratio, wait
from teachonce.data.blocks import decode_blocks
from teachonce.data.samples import Samples
from teachonce.engine.device import pick_compute_dtype, pick_device
from teachonce.engine.stage_one.batches import find_batch_size
from teachonce.engine.stage_one.forward import Forward
from teachonce.errors import InputError
from teachonce.models import Teacher, load_teacher
from teachonce.processwide import allow_tf32
from teachonce.stages.embed import embed

_PRELOADED_BYTES = 1 << 30


@allow_tf32(allowed=False)
def bench_embed(  # noqa: PLR0913 - one parameter an option
    *,
    teacher: str,
    data: str,
    rounds: int = 5,
    batch_size: int | None = None,
    image_size: int | None = None,
    limit: int | None = None,
    device: str | None = None,
    precision: str = "auto",
    teacher_dtype: str = "float32",
    workers: int | None = None,
) -> EmbedBench:
    """Time stage one into a temporary store, the bare forward pass, and decoding alone, in turns.

    Args:
        teacher: See `embed`.
        data: See `DataSpec`.
        rounds: Rounds that count; one before them does not.
        batch_size: Images the teacher sees at once; None: found once, for all arms.
        image_size: Pixels, of built-in teachers.
        limit: The first so many rows.
        device: See `embed`.
        precision: See `embed`.
        teacher_dtype: See `embed`.
        workers: Workers that decode.

    Raises:
        InputError: A setting that cannot be used.
        TeachonceError: As `embed`.
    """
    if rounds < 1:
        raise InputError(f"rounds must be at least 1, got {rounds}", "Use 5, for example")
    where = pick_device(device)
    samples = DataSpec(data=data, limit=limit).open()
    model = load_teacher(teacher, dtype=teacher_dtype, image_size=image_size, classes=samples.classes).to(where)
    compute_dtype = pick_compute_dtype(precision, where, model.info.dtype)
    forward = Forward(model, device=where, dtype="float16", compute_dtype=compute_dtype)
    size = batch_size or find_batch_size(forward, model.info.input, device=where, most=samples.rows)

    def stage(path: Path) -> float:
        done = embed(
            teacher=model,
            data=samples,
            store=path,
            batch_size=size,
            device=device,
            precision=precision,
            workers=workers,
        )
        return done.seconds

    bare = _bare_forward(forward, model, samples.rows, size, where)
    times = _rounds(rounds, stage, bare, lambda: _decode(samples, size, workers))
    rates = {arm: samples.rows / statistics.median(seconds) for arm, seconds in times.items()}
    return EmbedBench(
        **vars(origin(EmbedBench.kind, where)),
        teacher=model.info.name,
        device=device_name(where),
        teacher_dtype=model.info.dtype,
        compute_dtype=compute_dtype,
        rows=samples.rows,
        batch_size=size,
        rounds=rounds,
        threads=torch.get_num_threads(),
        stage_samples_per_s=rates["stage"],
        forward_samples_per_s=rates["forward"],
        decode_samples_per_s=rates["decode"],
        ratio=paired_ratio(times["forward"], times["stage"]),
        bound="decode" if rates["decode"] < rates["forward"] else "teacher",
    )


def _rounds(
    rounds: int, stage: Callable[[Path], float], forward: Callable[[], float], decode: Callable[[], float]
) -> dict[str, list[float]]:
    """Seconds of each arm in each round; the order turns, and a first round warms up."""
    times: dict[str, list[float]] = {"stage": [], "forward": [], "decode": []}
    with tempfile.TemporaryDirectory(prefix="teachonce-bench-") as folder:
        paths = (Path(folder) / f"{index}.zarr" for index in range(rounds + 1))
        arms = {"stage": lambda: stage(next(paths)), "forward": forward, "decode": decode}
        for index in range(rounds + 1):
            for name in [*arms][index % 3 :] + [*arms][: index % 3]:
                seconds = arms[name]()
                times[name] += [seconds] if index else []
    return times


def _bare_forward(
    forward: Forward, teacher: Teacher, rows: int, size: int, device: torch.device
) -> Callable[[], float]:
    """Seconds of the teacher over all rows, in the batches of stage one, on pixels that are on the device already."""
    spec = teacher.info.input
    kept = max(1, min(-(-rows // size), _PRELOADED_BYTES // (12 * size * spec.height * spec.width)))
    generator = torch.Generator().manual_seed(0)
    pixels = [torch.randn(size, 3, spec.height, spec.width, generator=generator).to(device) for _ in range(kept)]

    def batches() -> Iterator[Tensor]:
        for index, start in enumerate(range(0, rows, size)):
            yield pixels[index % kept][: min(size, rows - start)]

    def run() -> float:
        wait(device)
        begun = time.perf_counter()
        for batch in batches():
            forward.signals(batch)
        wait(device)
        return time.perf_counter() - begun

    return run


def _decode(samples: Samples, size: int, workers: int | None) -> float:
    """Seconds of decoding all rows, in groups as stage one takes them."""
    groups = (np.arange(start, min(start + size, samples.rows)) for start in range(0, samples.rows, size))
    begun = time.perf_counter()
    for _ in decode_blocks(samples, groups, workers=workers):
        pass
    return time.perf_counter() - begun

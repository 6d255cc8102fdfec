"""A step of `train --method ce` over the step of a bare PyTorch loop: what a user would write instead.

    python scripts/bare_loop.py                              cnn-2, resnet8x4 and a small ViT at 32 px and resized to 16
    python scripts/bare_loop.py --student cnn-2 --pairs 20

Both train on the same uint8 images in memory, with the same student, batch size and normalisation; they take turns, and
the ratio is the median of the pairs. JSON on stdout.
"""

import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch.nn import functional as F

from teachonce import keep_freed
from teachonce.benchmarks.arms import Arm
from teachonce.benchmarks.rounds import in_turns, paired_ratio
from teachonce.data.samples import ArraySamples
from teachonce.engine.rows import all_digests
from teachonce.engine.session import open_session
from teachonce.events import SILENT
from teachonce.models.students import build_student
from teachonce.options.train import TrainOptions

CLASSES, SIDE = 10, 32
STUDENTS = ("cnn-2", "resnet8x4", "vit:patch=4,width=64,layers=2,heads=4")


class BareLoop:
    """The loop, with nothing of teachonce but the network."""

    def __init__(self, student: str, images: torch.Tensor, labels: torch.Tensor, size: int, batch: int) -> None:
        self.network = build_student(student, classes=CLASSES, image_size=size)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=1e-3, weight_decay=0.05, fused=True)
        self.images, self.labels, self.size, self.batch = images, labels, size, batch
        self.mean, self.std = (
            torch.tensor(x).view(1, 3, 1, 1) for x in (self.network.input.mean, self.network.input.std)
        )
        self.rows: Iterator[torch.Tensor] = iter(())

    def step(self) -> None:
        """One batch."""
        rows = next(self.rows, None)
        if rows is None:
            whole = len(self.images) // self.batch * self.batch
            self.rows = iter(torch.randperm(len(self.images))[:whole].split(self.batch))
            rows = next(self.rows)
        pixels = self.images[rows].float() / 255
        if self.size != pixels.shape[-1]:
            pixels = F.interpolate(pixels, size=self.size, mode="bicubic", antialias=True).clamp(0, 1)
        _, logits = self.network((pixels - self.mean) / self.std)
        F.cross_entropy(logits, self.labels[rows]).backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def run(self, steps: int) -> None:
        """Some steps."""
        for _ in range(steps):
            self.step()


def ours(student: str, samples: ArraySamples, size: int, batch: int, out: Path) -> Arm:
    """The same by teachonce."""
    config = TrainOptions(
        data=samples, student=student, out=out, image_size=size, batch_size=batch, val_fraction=0.0, device="cpu"
    )
    return Arm(session=open_session(config, samples, None, digests=all_digests(samples, SILENT)))


def measured(student: str, size: int, *, rows: int, batch: int, pairs: int, steps: int) -> dict[str, Any]:
    """The ratio of a step for one student at one size."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (rows, SIDE, SIDE, 3), np.uint8)
    labels = random.integers(0, CLASSES, rows).astype(np.int32)
    labels[:CLASSES] = np.arange(CLASSES)
    with tempfile.TemporaryDirectory() as folder:
        arm = ours(student, ArraySamples(list(images), labels), size, batch, Path(folder) / "run")
        planes = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
        bare = BareLoop(student, planes, torch.from_numpy(labels.astype(np.int64)), size, batch)
        works = {"ours": lambda: arm.run(steps), "bare": lambda: bare.run(steps)}
        with SILENT.task("steps", total=pairs) as task:
            times = in_turns(works, pairs, 2, torch.device("cpu"), task)
    ratio = paired_ratio(times["ours"], times["bare"])
    step_ms = {name: round(statistics.median(each) / steps, 3) for name, each in times.items()}
    quartiles = [round(ratio.low, 3), round(ratio.high, 3)]
    return {
        "student": student,
        "size": size,
        "ratio": round(ratio.median, 3),
        "quartiles": quartiles,
        "step_ms": step_ms,
    }


def main(
    student: Annotated[list[str], typer.Option(help="May be repeated.")] = list(STUDENTS),  # noqa: B006
    rows: Annotated[int, typer.Option(help="Rows of random images.")] = 2000,
    batch_size: Annotated[int, typer.Option(help="Rows of a step.")] = 128,
    pairs: Annotated[int, typer.Option(help="Pairs that count.")] = 10,
    steps: Annotated[int, typer.Option(help="Steps of one turn.")] = 10,
) -> None:
    """Measure each student at the images' own size, and resized to half of it."""
    keep_freed()
    found = [
        measured(one, size, rows=rows, batch=batch_size, pairs=pairs, steps=steps)
        for one in student
        for size in (SIDE, SIDE // 2)
    ]
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)

"""Runs every stage in processes of its own, in two orders, with one thread and with two: `same_bytes.py FOLDER`.

Everything is imported once and each process is a fork of this one, which computes with one thread until then. The
stages of a process begin from the same things whatever ran before: teachers and students are loaded anew, and a
training begins from a copy of one store.
"""

import gc
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from teachonce.stages.embed import embed
from teachonce.stages.rdm import rdm
from teachonce.stages.train import train
from tests.models.tiny_models import encoder
from tests.stages.train_killer import forked

OWN = "tests.models.student_factories:attentive"
THREADS = (1, 2)
TEACHERS = {"self": "vit:patch=4,width=32,layers=3,heads=4", "cross": "siglip", "own": OWN}
DATA: dict[str, Any] = {"data": "digits", "limit": 80, "device": "cpu", "workers": 1}


def embedded(root: Path, place: Path, name: str) -> None:
    """In the second order in two calls: what begins is at work while other blocks are computed."""
    teacher: dict[str, Any] = {"teacher": TEACHERS[name], "image_size": 16}
    if name == "cross":
        teacher = {"teacher": str(root / "siglip")}
    settings: dict[str, Any] = {"dtype": "float32", "block_rows": 32, "batch_size": 16, "views": 2, "augment": "flip"}
    for blocks in ("1:3", None) if place.name.startswith("second") else (None,):
        embed(store=place / f"{name}.zarr", blocks=blocks, **teacher, **DATA, **settings)


def distorted(root: Path, place: Path) -> None:
    store = Path(shutil.copytree(root / "begin/own.zarr", place / "rdm.zarr"))
    rdm(store=store, distortion_weight=(10.0,), epochs=1, batch_size=32, device="cpu")


def trained(root: Path, place: Path, source: str) -> None:
    live: dict[str, Any] = {"teacher": OWN} if source == "live" else {}
    settings: dict[str, Any] = {"image_size": 16, "epochs": 1, "batch_size": 32, "clip_norm": 1.0, "method": "kd"}
    train(student=OWN, store=root / "begin/own.zarr", out=place / source, source=source, **live, **DATA, **settings)


STAGES: list[Callable[[Path, Path], None]] = [
    *(lambda root, place, name=name: embedded(root, place, name) for name in TEACHERS),
    distorted,
    *(lambda root, place, source=source: trained(root, place, source) for source in ("cached", "live")),
]


def run(root: Path, place: Path, threads: int, stages: list[Callable[[Path, Path], None]]) -> None:
    torch.set_num_threads(threads)
    for stage in stages:
        stage(root, place)


def main(root: Path) -> None:
    torch.set_num_threads(1)
    encoder(root / "siglip", "siglip")
    statuses = [forked(lambda: embedded(root, root / "begin", "own"))]
    gc.freeze()
    for threads in THREADS:
        for order, stages in (("first", STAGES), ("second", STAGES[::-1])):
            place = root / f"{order}-{threads}"
            statuses.append(forked(lambda p=place, t=threads, s=stages: run(root, p, t, s)))
    sys.stdout.write(json.dumps([ended.status for ended in statuses]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""A joined dataset in loaders: workers by fork and spawn, several processes, a transformers Trainer; and its cost."""

import os
import resource
import runpy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, StackDataset, TensorDataset

import teachonce
from teachonce.data.quiet import quiet
from teachonce.digests import digest_bytes
from tests.data.imagekit import encode, noise
from tests.engine.join_rank import read_share
from tests.engine.joinkit import FileItems, expected, make_store, write_files
from tests.forks import Child

ROOT = Path(__file__).parents[2]
CONTENTS = {f"{'ab'[i % 2]}/{i:03d}.png": encode(noise(8, 8, i)) for i in range(60)}
VALUES = list(CONTENTS.values())
COST = 0.3  # seconds of the processor for an epoch of 30,000 items; a busy machine is not this package's doing


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    return write_files(tmp_path / "data", CONTENTS)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "s.zarr", VALUES, views=2).path


class Views(torch.utils.data.Dataset):
    """A user's own dataset that holds a teacher and draws views in the workers."""

    def __init__(self, teacher: teachonce.CachedTeacher, paths: list[str]) -> None:
        self.teacher, self.paths, self.rows = teacher, paths, teacher.rows_of(files=paths)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        row = int(self.rows[index])
        return self.teacher.view(Path(self.paths[index]).read_bytes(), row, 1, size=8), row


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers(store: Path, paths: list[str], context: str):
    given = paths[::-1]
    teacher = teachonce.CachedTeacher(store, device="cpu")
    joined = teacher.dataset(FileItems(given), files=given, view=1)
    images = TensorDataset(*(torch.arange(60) for _ in range(2)))
    plain = teacher.dataset(images, files=given, view=1)
    _ = plain[0]  # a forked worker goes on with what is open
    seen = []
    workers = {"fork": 2, "spawn": 1}[context]  # one that is spawned imports everything anew
    both = StackDataset(plain, Views(teacher, given))
    loader = DataLoader(both, shuffle=True, batch_size=7, num_workers=workers, multiprocessing_context=context)
    for ((numbers, _), targets), (pixels, rows) in loader:
        wanted = torch.stack([expected(VALUES[59 - number], view=1) for number in numbers.tolist()])
        assert torch.equal(targets["image_embedding"], wanted)
        assert torch.equal(pixels, torch.stack([teacher.view(VALUES[row], row, 1, size=8) for row in rows.tolist()]))
        seen += numbers.tolist()
    assert sorted(seen) == list(range(60))
    assert joined.rows.tolist() == list(range(60))[::-1]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of a fork beside threads, by Python 3.12
def test_two_processes_share_the_rows(store: Path, paths: list[str], tmp_path: Path):
    read = partial(read_share, processes=2, meeting=tmp_path / "meeting", store=store, data=tmp_path / "data")
    ranks = [Child(partial(read, rank)) for rank in range(2)]
    seen = [rank.wait().must() for rank in ranks]
    for epoch in range(2):
        shares = [[entry["row"] for entry in share if entry["epoch"] == epoch] for share in seen]
        assert sorted(shares[0] + shares[1]) == list(range(60))


@pytest.mark.filterwarnings("ignore:'pin_memory' argument:UserWarning")  # the Trainer's default, without a GPU
def test_the_example_with_a_trainer(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    example = ROOT / "docs" / "examples" / "trainer.py"
    assert len(example.read_text().splitlines()) <= 40
    for i in range(24):
        path = tmp_path / "images" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(20, 20, i)).save(path)
    with quiet():
        teachonce.embed(
            teacher="vit:patch=8,width=16,layers=1,heads=2", image_size=16, data=f"folder:{tmp_path / 'images'}",
            store=tmp_path / "s.zarr", device="cpu", workers=0,
        )  # fmt: skip
        main = runpy.run_path(str(example))["main"]
        main(str(tmp_path / "s.zarr"), str(tmp_path / "images"), str(tmp_path / "out"))
    assert "train_loss" in capsys.readouterr().out


def cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def epoch(dataset: Any) -> float:
    start = cpu()
    for _ in DataLoader(dataset, batch_size=256, shuffle=True, num_workers=2, multiprocessing_context="fork"):
        pass
    return cpu() - start


def test_it_costs_next_to_nothing_over_tensors_in_memory(tmp_path: Path):
    contents = [f"row {row}".encode() for row in range(1000)]
    place = make_store(tmp_path / "s.zarr", contents).path
    order = np.random.default_rng(0).integers(0, 1000, 30_000)
    teacher = teachonce.CachedTeacher(place, device="cpu")
    images = torch.zeros(len(order), 16)
    joined = teacher.dataset(TensorDataset(images), digests=[digest_bytes(contents[row]) for row in order])
    targets = teacher(order)
    plain = TensorDataset(images, *targets.values(), torch.from_numpy(order))
    assert any(epoch(joined) - epoch(plain) < COST for _ in range(3))

"""TF32: off unless it is asked for, in all that computes; kept with what was computed with it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from teachonce.cache import open_store
from teachonce.engine.runfile import read_run
from teachonce.errors import MismatchError
from teachonce.events import Task
from teachonce.stages.embed import embed
from teachonce.stages.evaluate import evaluate
from teachonce.stages.rdm import rdm
from teachonce.stages.train import train
from teachonce.stages.verify import verify
from tests.stages.embedding import Wrapped, digits, teacher
from tests.stages.trainkit import Heard

COMMON = {"device": "cpu", "workers": 0}
EMBED = {**COMMON, "batch_size": 32, "block_rows": 64}
TRAIN = {**COMMON, "student": "cnn-2", "image_size": 16, "epochs": 1, "batch_size": 32}


def allowed() -> set[bool]:
    return {torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32}


class Watching(Heard):
    """Looks whether TF32 is allowed whenever some work begins and goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, set[bool]] = {}

    @contextmanager
    def task(self, title: str, *, total: int, done: int = 0, unit: str = "rows") -> Iterator[Task]:
        with super().task(title, total=total, done=done, unit=unit) as task:
            yield task
        self.seen[title.partition(" ")[0]] = allowed()


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Of teachers that may use TF32, and may not."""
    folder, found = tmp_path_factory.mktemp("stores"), {}
    for tf32 in (False, True):
        during: set[bool] = set()
        made = Wrapped(teacher(), lambda pixels, signal, during=during: (during.update(allowed()), signal)[1])
        heard = Watching()
        found[tf32] = folder / f"{tf32}.zarr"
        embed(teacher=made, data=digits(96), store=found[tf32], tf32=tf32, events=heard, **EMBED)
        assert during == {tf32}
        assert sum("--tf32" in text for text in heard.warnings) == tf32  # no effect here
    assert allowed() == {False, True}  # torch's own choice is back
    return found


def test_a_target_says_that_tf32_was_allowed(stores: dict[bool, Path]):
    found = {tf32: open_store(path).sealed("teacher").settings for tf32, path in stores.items()}
    assert found[False] == {"batch_size": 32, "compute_dtype": "float32"}  # as before there was a choice
    assert found[True] == {"batch_size": 32, "compute_dtype": "float32", "tf32": True}


@pytest.mark.parametrize("tf32", [False, True])
def test_a_begun_target_goes_on_as_it_was_begun(tmp_path: Path, tf32: bool):
    given = {"teacher": teacher(), "data": digits(96), "store": tmp_path / "s.zarr", **EMBED}
    embed(**given, tf32=tf32, blocks="0:1")
    with pytest.raises(MismatchError, match="tf32"):
        embed(**given, tf32=not tf32)
    assert embed(**given, tf32=tf32).sealed


def test_a_sealed_target_is_kept_and_says_how_it_was_computed(stores: dict[bool, Path]):
    heard = Heard()
    embed(teacher=teacher(), data=digits(96), store=stores[True], events=heard, **EMBED)
    assert any("with TF32" in text for text in heard.warnings)


def test_a_teacher_runs_again_as_it_ran(stores: dict[bool, Path]):
    for tf32, path in stores.items():
        heard = Watching()
        found = verify(store=path, data="digits", split="all", limit=96, teacher=teacher(), events=heard, **COMMON)
        assert found.teacher is not None
        assert found.teacher.rows == 96
        assert heard.seen["run"] == {tf32}


def test_a_training_is_one_with_tf32_or_without(tmp_path: Path, stores: dict[bool, Path]):
    for tf32 in (False, True):
        heard = Watching()
        given = {**TRAIN, "data": digits(96), "out": tmp_path / str(tf32), "method": "kd", "store": stores[False]}
        train(**given, tf32=tf32, events=heard)
        assert heard.seen["train"] == {tf32}
        known = read_run(tmp_path / str(tf32))
        assert known is not None
        assert known.settings.others.get("tf32") == (tf32 or None)
        with pytest.raises(MismatchError, match="tf32"):
            train(**given, tf32=not tf32)
    assert allowed() == {False, True}


def test_rdms_and_evaluations_are_without(tmp_path: Path, stores: dict[bool, Path], monkeypatch: pytest.MonkeyPatch):
    heard = Watching()
    rdm(store=stores[True], distortion_weight=10.0, epochs=1, batch_size=32, device="cpu", events=heard)
    assert set().union(*heard.seen.values()) == {False}
    train(**TRAIN, data=digits(96), out=tmp_path / "run")
    during: list[set[bool]] = []
    forward = torch.nn.Linear.forward
    monkeypatch.setattr(torch.nn.Linear, "forward", lambda *given: (during.append(allowed()), forward(*given))[1])
    evaluate(run=tmp_path / "run", data=digits(96), **COMMON)
    assert during
    assert set().union(*during) == {False}


def test_a_peak_that_a_graphs_memory_pool_hides_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("teachonce.stages.train.peak_memory_bytes", lambda device: 1000)
    for graphs in (False, True):
        given = {**TRAIN, "data": digits(96), "out": tmp_path / str(graphs), "cuda_graphs": graphs}
        assert train(**given).peak_memory_bytes == (None if graphs else 1000)
        assert json.loads((tmp_path / str(graphs) / "result.json").read_text())["peak_memory_bytes"] == (
            None if graphs else 1000
        )

"""Training: what it writes, from cached and live targets, and a finished run again."""

import json
import math
import shutil
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from teachonce.cache.store import Store
from teachonce.engine.metrics import read_metrics
from teachonce.engine.runfile import owned, read_run
from teachonce.errors import BusyError, MismatchError, NonFiniteError
from teachonce.models.macs import count_macs
from teachonce.models.students import load_student
from teachonce.options.methods import METHODS
from teachonce.records import to_json
from teachonce.stages.embed import embed
from teachonce.stages.train import TrainResult, train
from tests.engine.enginekit import digits, make_store, some
from tests.stages.trainkit import STUDENT, Heard, assert_trained_alike, out_of_reach, quick

WITH_TEACHER = sorted(n for n, method in METHODS.items() if method.needs and not method.needs_extras)
JSON = {
    "run",
    "method",
    "source",
    "epochs",
    "step_ms",
    "samples_per_s",
    "peak_memory_bytes",
    "host_memory_bytes",
    "val_top1",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher that was trained here, and its store."""
    home = tmp_path_factory.mktemp("made")
    quick(home / "teacher", student="vit:patch=8,width=32,layers=1,heads=2", epochs=4, lr=3e-3)
    embed(
        teacher=str(home / "teacher"),
        data=digits(),
        store=home / "s.zarr",
        views=2,
        augment="crop=0.6",
        block_rows=64,
        batch_size=64,
        device="cpu",
        workers=0,
    )
    return home


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with nothing beside the defaults, which stays as it is."""
    run = tmp_path_factory.mktemp("plain") / "run"
    quick(run)
    return run


@pytest.mark.parametrize("method", WITH_TEACHER)
@pytest.mark.parametrize("augment", [None, "crop=0.5,flip"])
def test_cached_and_live_train_alike(made: Path, tmp_path: Path, method: str, augment: str | None):
    """From the cache without a look at the teacher."""
    common = {"method": method, "store": made / "s.zarr", "student_augment": augment}
    with out_of_reach(made / "teacher"):
        result = quick(tmp_path / "cached", **common)
    assert (result.method, result.source, result.epochs) == (method, "cached", 2)
    lines = read_metrics(tmp_path / "cached")
    assert augment is not None or lines[1].losses["loss"] < lines[0].losses["loss"]
    quick(tmp_path / "live", **common, source="live", teacher=str(made / "teacher"))
    assert_trained_alike(tmp_path / "cached", tmp_path / "live", rel=2e-3)
    for run in ("cached", "live"):
        assert read_run(tmp_path / run).targets == ("exact" if augment is None else "fixed-teacher")


def test_live_without_a_store(made: Path, tmp_path: Path):
    result = quick(tmp_path / "run", method="clip-embed-kd", source="live", teacher=str(made / "teacher"))
    assert math.isfinite(read_metrics(tmp_path / "run")[-1].losses["loss"])
    assert result.source == "live"


def test_the_result_and_the_files(tmp_path: Path):
    result = quick(tmp_path / "run", epochs=3, label_smoothing=0.1, clip_norm=1.0, warmup_epochs=0.5)
    values = asdict(result)
    assert values.keys() >= JSON
    assert json.loads((tmp_path / "run" / "result.json").read_text()) == values
    assert result.peak_memory_bytes is None
    assert result.host_memory_bytes > 10**8
    assert result.step_ms > 0
    assert result.samples_per_s > 0
    assert result.train_rows + result.val_rows == 200
    lines = read_metrics(tmp_path / "run")
    student = load_student(tmp_path / "run")
    assert read_run(tmp_path / "run").macs == count_macs(student, student.input) > 10**4
    steps = result.train_rows // 32
    assert [(line.epoch, line.step) for line in lines] == [(1, steps), (2, 2 * steps), (3, 3 * steps)]
    assert to_json(lines[0]).keys() >= {"lr", "loss", "loss_ce", "val_top1", "val_loss", "samples_per_s", "seconds"}
    assert result.val_top1 == max(line.val_top1 for line in lines)
    assert lines[result.best_epoch - 1].val_top1 == result.val_top1
    suffixes = {path.suffix for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert not suffixes & {".pt", ".pth", ".pkl", ".bin"}


def test_the_best_student_is_kept_and_loads(tmp_path: Path):
    quick(tmp_path / "run", val_fraction=0.0)
    student = load_student(tmp_path / "run")
    last = safetensors.torch.load_file(tmp_path / "run" / "checkpoints" / "last" / "model.safetensors")
    assert all(torch.equal(value, last[name]) for name, value in student.state_dict().items())
    assert [line.val_top1 for line in read_metrics(tmp_path / "run")] == [None, None]


def test_a_transformers_student_opens_in_transformers(plain: Path):
    from transformers import AutoModelForImageClassification

    network = AutoModelForImageClassification.from_pretrained(plain / "best")
    assert network.config.id2label[3] == "3"


def test_a_finished_run_is_reused(tmp_path: Path):
    first, heard = quick(tmp_path / "run"), Heard()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    again = quick(tmp_path / "run", events=heard)
    assert again.reused
    assert again == TrainResult(**{**asdict(first), "reused": True})
    assert "reused" in heard.infos[0]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")} == before


def test_a_finished_run_is_not_reused_for_other_data(tmp_path: Path):
    data = digits(200)
    store = make_store(tmp_path / "s.zarr", samples=data)
    quick(tmp_path / "run", store=store.path, data=data)
    with pytest.raises(MismatchError, match="row 0 is another sample"):
        quick(tmp_path / "run", store=store.path, data=some(data, images=255 - data.images))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"lr": 0.5}, "lr 0.001, got 0.5"),
        ({"student": "cnn-2"}, "student"),
        ({"seed": 1}, "seed 0, got 1"),
        ({"limit": 190}, "data.rows 200, got 190"),
        ({"settings": {"label_smoothing": "0.2"}}, "settings.label_smoothing 0.0, got 0.2"),
        ({"epochs": 3}, "epochs 2, got 3"),
    ],
)
def test_other_settings_in_the_same_folder_are_refused(plain: Path, changed: dict[str, Any], told: str):
    before = {path: path.read_bytes() for path in plain.rglob("*") if path.is_file()}
    with pytest.raises(MismatchError) as caught:
        quick(plain, **changed)
    assert told in caught.value.message
    assert "--out" in caught.value.mend
    assert {path: path.read_bytes() for path in plain.rglob("*") if path.is_file()} == before


def test_two_processes_do_not_share_a_run(plain: Path, tmp_path: Path):
    shutil.copytree(plain, tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    with owned(tmp_path / "run"), pytest.raises(BusyError):
        quick(tmp_path / "run")
    quick(tmp_path / "run")


def test_a_loss_that_explodes_keeps_the_last_good_weights(tmp_path: Path):
    """The second epoch has a learning rate beyond all bounds."""
    wild = {"schedule": "milestones", "milestones": (1,), "gamma": 1e30, "optimizer": "sgd", "lr": 0.01}
    with pytest.raises(NonFiniteError) as caught:
        quick(tmp_path / "run", **wild)
    first = 180 // 32
    assert f"step {first + 2} (epoch 2)" in caught.value.message
    parts = safetensors.torch.load_file(tmp_path / "run" / "checkpoints" / "last" / "model.safetensors")
    assert all(bool(value.isfinite().all()) for value in parts.values())
    assert [line.epoch for line in read_metrics(tmp_path / "run")] == [1]
    assert not (tmp_path / "run" / "result.json").exists()


def test_the_seed_decides_and_the_callers_generator_is_left_alone(tmp_path: Path):
    student = f"{STUDENT},dropout=0.2"
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    quick(tmp_path / "a", student=student)
    assert torch.equal(torch.rand(3), expected)
    quick(tmp_path / "b", student=student)
    quick(tmp_path / "c", student=student, seed=1)
    losses = {name: [line.losses["loss"] for line in read_metrics(tmp_path / name)] for name in "abc"}
    assert losses["a"] == losses["b"] != losses["c"]


def test_options_of_the_optimiser_and_of_the_arithmetic(plain: Path, tmp_path: Path):
    sgd = {"optimizer": "sgd", "lr": 0.05, "schedule": "milestones", "milestones": [1], "gamma": 0.5}
    quick(tmp_path / "sgd", student="cnn-2", image_size=32, **sgd)
    assert [line.lr for line in read_metrics(tmp_path / "sgd")] == pytest.approx([0.05, 0.025])
    quick(tmp_path / "bf16", precision="bf16")
    bf16, float32 = (read_metrics(run)[-1].losses["loss"] for run in (tmp_path / "bf16", plain))
    assert bf16 != float32
    assert bf16 == pytest.approx(float32, rel=0.02)
    state = safetensors.torch.load_file(tmp_path / "bf16" / "checkpoints" / "last" / "model.safetensors")
    assert {value.dtype for value in state.values()} == {torch.float32}


def test_compiled_is_the_same(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Through torch.compile, with the backend that needs no compiler; saving the best does not compile anew."""
    torch._dynamo.reset()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    with torch._dynamo.config.patch(error_on_recompile=True):
        quick(tmp_path / "compiled", compile=True)
    expected, compiled = (read_metrics(run)[-1].losses["loss"] for run in (plain, tmp_path / "compiled"))
    assert compiled == pytest.approx(expected, rel=1e-5)


def test_opened_samples_and_unnamed_classes(tmp_path: Path):
    data = some(digits(), class_names=None)
    result = train(
        data=data,
        student=STUDENT,
        out=tmp_path / "run",
        image_size=16,
        epochs=1,
        batch_size=32,
        device="cpu",
        workers=0,
    )
    assert result.epochs == 1
    assert read_run(tmp_path / "run").classes == 10


def test_images_that_are_not_kept_train_alike(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Streamed images and mapped targets, as for data beyond the memory: the same weights, bit for bit."""
    common = {"method": "kd", "store": made / "s.zarr"}
    quick(tmp_path / "kept", **common)
    for place in ("teachonce.data.resident.host_budget", "teachonce.engine.parts.device_budget"):
        monkeypatch.setattr(place, lambda *_: 0)
    quick(tmp_path / "streamed", **common)
    kept, streamed = (tmp_path / name / "best" / "model.safetensors" for name in ("kept", "streamed"))
    assert kept.read_bytes() == streamed.read_bytes()


def test_epochs_go_through_the_views(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from teachonce.engine.cached import CachedTargets

    store: Store = make_store(tmp_path / "s.zarr", views=2)
    seen: list[int] = []
    real = CachedTargets.fetch

    def fetch(self: CachedTargets, rows: Any, view: int, images: Any = None) -> Any:
        seen.append(view)
        return real(self, rows, view, images)

    monkeypatch.setattr(CachedTargets, "fetch", fetch)
    quick(tmp_path / "run", method="kd", store=store.path, epochs=3)
    assert np.array_equal(np.array(seen).reshape(3, -1), np.array([[0] * 5, [1] * 5, [0] * 5]))


def test_every_field_of_the_result_is_told_of():
    assert {field.name for field in fields(TrainResult)} >= JSON | {"seconds", "train_rows"}


def test_another_live_teacher_in_the_same_place_is_refused(plain: Path, tmp_path: Path):
    shutil.copytree(plain, tmp_path / "teacher")
    common = {"method": "kd", "source": "live", "teacher": str(tmp_path / "teacher")}
    quick(tmp_path / "run", **common)
    (tmp_path / "run" / "result.json").unlink()
    shutil.rmtree(tmp_path / "teacher")
    quick(tmp_path / "teacher", seed=1)
    with pytest.raises(MismatchError, match="weights"):
        quick(tmp_path / "run", **common)

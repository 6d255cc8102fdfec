"""What cannot be trained: one line with the mend, and nothing written."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from teachonce.cache.store import Store, create_or_open
from teachonce.cache.writer import SamplesWriter
from teachonce.engine.runfile import read_run
from teachonce.errors import (
    CorruptError,
    DataError,
    InputError,
    MismatchError,
    ModelError,
    StoreMissingError,
    UnsealedError,
)
from teachonce.stages.embed import embed
from teachonce.types import DECODED
from tests.engine.enginekit import digits, make_store, make_teacher, some
from tests.stages.trainkit import Heard, quick, refused


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return make_store(tmp_path_factory.mktemp("bad") / "s.zarr")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 500}, "only"),
        ({"val_fraction": 1.0}, "val_fraction"),
        ({"lr": -1.0}, "lr"),
        ({"optimizer": "lion"}, "lion"),
        ({"schedule": "steps"}, "steps"),
        ({"schedule": "milestones"}, "milestones"),
        ({"precision": "fp8"}, "fp8"),
        ({"method": "kdd"}, "kdd"),
        ({"settings": {"temprature": "4"}}, "temprature"),
        ({"method": "kd", "settings": {"temperature": "hot"}}, "hot"),
        ({"method": "kd"}, "no store was given"),
        ({"method": "kd", "source": "live"}, "teacher"),
        ({"source": "dead"}, "dead"),
        ({"teacher": "cnn-2"}, "would not be used"),
        ({"seed": -1}, "seed"),
        ({"seed": 1 << 63}, "seed"),
        ({"device": "cuda:99"}, "cuda:99"),
        ({"device": "gpu"}, "gpu"),
        ({"student_augment": "crop=2"}, "crop"),
        ({"label_smoothing": 0.1, "settings": {"label_smoothing": 0.2}}, "twice"),
    ],
)
def test_settings(tmp_path: Path, options: dict[str, Any], told: str):
    error = refused(tmp_path / "run", InputError, **options)
    assert told in str(error)


@pytest.mark.parametrize("student", ["resnet", "vit:pach=4", "cnn-3", "transformers:none.json", "nowhere:factory"])
def test_students(tmp_path: Path, student: str):
    refused(tmp_path / "run", ModelError, student=student)


def test_data_without_labels(tmp_path: Path):
    bare = some(digits(), labels=None, class_names=None)
    assert "labels" in refused(tmp_path / "run", DataError, data=bare).message
    assert "split" in refused(tmp_path / "run", DataError, split="middle").message


def test_an_unsealed_store(tmp_path: Path, store: Store):
    path = tmp_path / "u.zarr"
    embed(
        teacher=make_teacher(),
        data=digits(),
        store=path,
        block_rows=64,
        batch_size=64,
        blocks="0:2",
        device="cpu",
        workers=0,
    )
    error = refused(tmp_path / "run", UnsealedError, method="kd", store=path)
    assert "2 of 4" in error.message
    assert "teachonce embed" in error.mend
    new = create_or_open(tmp_path / "n.zarr", store.spec)
    status = np.full(64, DECODED, np.uint8)
    with SamplesWriter(new) as writer:
        writer.commit(0, store.digests()[:64], store.labels()[:64], status, store.view_params()[:64], {})
    assert "1 of 4" in refused(tmp_path / "run", UnsealedError, store=tmp_path / "n.zarr").message


@pytest.mark.parametrize("method", ["ce", "kd"])
def test_a_store_of_other_data(tmp_path: Path, store: Store, method: str):
    data = digits()
    images, labels = data.images.copy(), data.labels.copy()
    images[9, 0, 0, 0] ^= 255
    labels[[4, 5]] = labels[[5, 4]]
    order = np.roll(np.arange(200), 1)
    for changed, told in (
        (some(data, images=images), "other data: row 9"),
        (some(data, labels=labels), "relabelled: row 4"),
        (some(data, images=data.images[order], labels=data.labels[order]), "reordered: row 0"),
    ):
        error = refused(tmp_path / "run", MismatchError, data=changed, method=method, store=store.path)
        assert told in error.message
    assert "200" in refused(tmp_path / "run", MismatchError, limit=150, method=method, store=store.path).message


def test_a_store_without_what_the_method_needs(tmp_path: Path, store: Store):
    bare = some(digits(), labels=None, class_names=None)
    unlabelled = make_store(tmp_path / "n.zarr", samples=bare)
    error = refused(tmp_path / "run", StoreMissingError, method="clip-embed-kd", store=unlabelled.path)
    assert "teachonce embed" in error.mend
    refused(tmp_path / "run", StoreMissingError, method="kd", store=store.path, target="none")
    refused(tmp_path / "run", StoreMissingError, method="kd", store=tmp_path / "nowhere.zarr")


def test_classes_that_differ(tmp_path: Path):
    data = digits()
    store = make_store(tmp_path / "s.zarr", samples=data, teacher=make_teacher(classes=12))
    error = refused(tmp_path / "run", MismatchError, data=data, method="kd", store=store.path)
    assert "12 classes, the data has 10" in error.message
    quick(tmp_path / "ok", data=data, method="clip-teacher-kd", store=store.path)
    names = [*data.class_names[:3], "four", "three", *data.class_names[5:]]
    renamed = some(data, class_names=names)
    quick(tmp_path / "teacher", data=renamed)
    common = {"data": data, "method": "kd", "source": "live", "teacher": str(tmp_path / "teacher")}
    assert "'four' and '3'" in refused(tmp_path / "run", MismatchError, **common).message


def test_a_folder_that_is_no_run(tmp_path: Path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "photo.jpg").write_text("dear")
    with pytest.raises(InputError, match=r"photo\.jpg"):
        quick(tmp_path / "run")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        quick(tmp_path / "file")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["photo.jpg"]


def test_a_damaged_run_is_told(tmp_path: Path):
    quick(tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text("{")
    with pytest.raises(CorruptError, match=r"run\.json"):
        quick(tmp_path / "run")


def test_settings_without_effect_are_warned_of(tmp_path: Path, store: Store):
    heard = Heard()
    quick(tmp_path / "run", store=store.path, source="live", teacher="cnn-2", cuda_graphs=True, events=heard)
    assert len(heard.warnings) == 3
    assert "no effect" in " ".join(heard.warnings)
    heard = Heard()
    drawn = make_store(tmp_path / "v.zarr", views=2)
    quick(tmp_path / "views", store=drawn.path, events=heard)
    assert heard.warnings == []
    assert "method ce needs no targets of the store; its views are used" in heard.infos
    assert read_run(tmp_path / "views").views == 2


def folder(path: Path, cut_short: int, kind: str = "PNG") -> str:
    """36 images in three classes, of which some end in the middle."""
    for row in range(36):
        buffer = io.BytesIO()
        Image.fromarray(np.random.default_rng(row).integers(0, 255, (12, 12, 3), np.uint8)).save(buffer, kind)
        place = path / "abc"[row % 3] / f"{row:02d}.{kind.lower()}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(buffer.getvalue()[: -100 if row < cut_short else None])
    return f"folder:{path}"


@pytest.mark.parametrize("method", ["ce", "kd"])
def test_failed_samples_are_left_out(tmp_path: Path, method: str):
    data, heard = folder(tmp_path / "images", 3), Heard()
    options: dict[str, Any] = {"data": data, "limit": None, "batch_size": 8, "val_fraction": 0.2, "events": heard}
    if method == "kd":
        common = {"block_rows": 64, "batch_size": 16, "device": "cpu", "workers": 0}
        embed(teacher=make_teacher("cnn-2", classes=3), data=data, store=tmp_path / "s.zarr", max_failed=3, **common)
        options["store"] = tmp_path / "s.zarr"
    result = quick(tmp_path / "run", method=method, **options)
    assert result.train_rows + result.val_rows == 33
    assert any("3 rows are left out" in warning for warning in heard.warnings)


def test_samples_that_fail_late_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Images that are not kept are decoded when they are shown: until then only their headers were read."""
    monkeypatch.setattr("teachonce.data.resident.host_budget", lambda: 0)
    data, heard = folder(tmp_path / "images", 3, "JPEG"), Heard()
    quick(tmp_path / "run", data=data, limit=None, batch_size=36, val_fraction=0.0, events=heard)
    assert [warning for warning in heard.warnings if "3 samples could not be decoded" in warning]

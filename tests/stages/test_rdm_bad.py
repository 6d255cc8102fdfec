"""What cannot be trained is refused in words, and leaves the store as it was."""

import errno
import os
import re
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from teachonce.cache import Store, TargetWriter, open_store
from teachonce.engine.rdm.fit import Fit
from teachonce.engine.rdm.measure import Targeted
from teachonce.engine.rdm.stored import load_rdm
from teachonce.engine.runfile import owned
from teachonce.errors import (
    BusyError,
    CorruptError,
    DataError,
    DiskError,
    InputError,
    MismatchError,
    ModelError,
    NonFiniteError,
    StoreMissingError,
    TeachonceError,
    UnsealedError,
)
from teachonce.models.rdm import RdmStack
from teachonce.stages.rdm import rdm
from teachonce.types import ArraySpec
from tests.stages.rdmkit import make, memory_folder, quick, snapshot
from tests.stages.trainkit import Heard

DiskUsage = namedtuple("DiskUsage", "total used free")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with memory_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A store with rdm-10, to be copied."""
    with memory_folder() as folder:
        make(folder / "s.zarr")
        quick(folder / "s.zarr", 10)
        yield folder / "s.zarr"


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "s.zarr"))


@pytest.fixture(scope="module")
def undisturbed() -> Iterator[dict[str, bytes]]:
    """The files of a store with rdm-10 and rdm-1, trained in one call."""
    with memory_folder() as folder:
        make(folder / "s.zarr")
        quick(folder / "s.zarr")
        yield snapshot(folder)


def refused(path: Path, kind: type[TeachonceError], words: str, *distortion_weight: float, **changed: Any) -> None:
    before = snapshot(path.parent)
    with pytest.raises(kind, match=words) as caught:
        quick(path, *distortion_weight, **changed)
    assert caught.value.mend
    assert snapshot(path.parent) == before


def stops(owner: object, name: str, number: int, error: BaseException) -> tuple[object, str, Any]:
    """A function, by its owner and name, that raises in the place of all calls but so many."""
    real, left = getattr(owner, name), iter(range(number))

    def call(*args: Any) -> Any:
        if next(left, None) is None:
            raise type(error)(*error.args)
        return real(*args)

    return owner, name, call


def broken_off(replaced: tuple[object, str, Any], kind: type[BaseException], path: Path, *weights: float) -> Any:
    """What a call raises while a function is another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*replaced)
        with pytest.raises(kind) as caught:
            quick(path, *weights)
    return caught.value


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ((0.0,), "above 0"),
        ((-1.0,), "above 0"),
        ((float("nan"),), "finite"),
        ((float("inf"),), "finite"),
        ((10, 1e1), "10 is given twice"),
        ((0.8, 1, 0.80), "0.8 is given twice"),
        ((1e-70,), "cannot be the name of a target"),
    ],
)
def test_distortion_weights(copy: Path, weights: tuple[float, ...], words: str):
    refused(copy, InputError, words, *weights)


def test_a_weight_alone(copy: Path):
    for one in (10, 10.0, "10"):
        assert [entry.name for entry in quick(copy, distortion_weight=one).rdms] == ["rdm-10"]
    for one in ("10,", "ten", [None]):
        with pytest.raises(InputError, match=r"distortion_weight: .* got"):
            quick(copy, distortion_weight=one)


def test_no_distortion_weight(copy: Path):
    with pytest.raises(InputError, match="no distortion weight"):
        rdm(store=copy, distortion_weight=())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"preset": "r18"}, "preset: .* got 'r18'"),
        ({"preset": None}, "preset"),
        ({"hidden": 0}, "hidden"),
        ({"activation": "sine"}, "activation: .* got 'sine'"),
        ({"distortion": "l1"}, "distortion: .* got 'l1'"),
        ({"reduction": "max"}, "reduction"),
        ({"select": "bits"}, "select"),
        ({"dtype": "int8"}, "dtype"),
        ({"epochs": 0}, "epochs: expected at least 1, got 0"),
        ({"batch_size": 0}, "batch_size: expected at least 1"),
        ({"batch_size": 5000}, "only 254 rows train"),
        ({"val_fraction": 0.0}, "val_fraction"),
        ({"val_fraction": 1.0}, "val_fraction"),
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"ce_weight": -1.0}, "ce_weight"),
        ({"kl_weight": float("inf")}, "kl_weight"),
        ({"lr": 0.0}, "lr: expected above 0"),
        ({"weight_decay": -0.1}, "weight_decay"),
        ({"schedule": "linear"}, "schedule"),
        ({"schedule": "milestones"}, "milestones"),
        ({"seed": -1}, "seed"),
        ({"device": "tpu0"}, "no such device"),
        ({"target": "rdm-10"}, "is an RDM's.*Use --target teacher"),
        ({"preset": "cnn", "ce_weight": 0, "kl_weight": 0}, "no reconstruction"),
    ],
)
def test_settings(copy: Path, changed: dict[str, Any], words: str):
    refused(copy, InputError, words, 3.0, **changed)


def test_a_width_that_the_preset_has(copy: Path):
    refused(copy, ModelError, "fixes its width", 3.0, preset="r34", hidden=8)


def test_no_store_and_no_target(copy: Path, tmp_path: Path):
    refused(copy, StoreMissingError, "no target 'tutor': it has rdm-10, teacher", 3.0, target="tutor")
    with pytest.raises(StoreMissingError, match="no store"):
        quick(tmp_path / "none.zarr", 3.0)


def test_an_unsealed_store(tmp_path: Path):
    make(tmp_path / "s.zarr", seal=False)
    refused(tmp_path / "s.zarr", UnsealedError, "not sealed")


def add_votes(store: Store, name: str, array: str = "logits") -> None:
    """A target that is a copy of the teacher's logits."""
    logits = store.target("teacher").all("logits")[:, None]
    arrays = {array: ArraySpec(shape=(10,), dtype="float32")}
    writer = TargetWriter(store, name, kind="classifier", fingerprint={}, settings={}, info={}, arrays=arrays)
    with writer:
        for block in range(store.blocks):
            start, stop = store.block_range(block)
            writer.commit(block, {array: logits[start:stop]}, np.ones(stop - start, np.uint8), {})
        writer.seal(labels=None, classes=None, per_class=None, max_failed=0)


def test_a_parent_without_embeddings(copy: Path):
    add_votes(open_store(copy), "votes")
    refused(copy, StoreMissingError, "needs image embeddings", 1.0, target="votes")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"epochs": 3}, "rdm epochs: expected 2, got 3"),
        ({"seed": 1}, "rdm seed"),
        ({"lr": 2e-3}, "rdm lr"),
        ({"batch_size": 16}, "rdm batch size"),
        ({"hidden": 8}, "rdm hidden: expected 16, got 8"),
        ({"preset": "cnn"}, "rdm distortion|rdm hidden|dtype|rdm preset"),
        ({"distortion": "smooth-l1"}, "rdm distortion"),
        ({"temperature": 3.0}, "rdm temperature"),
        ({"squared_temperature": False}, "rdm squared temperature"),
        ({"ce_weight": 0.0}, "rdm ce weight"),
        ({"val_fraction": 0.1}, "rdm val fraction"),
        ({"select": "top1"}, "rdm select: expected loss, got top1"),
        ({"dtype": "float16"}, "dtype: expected float32, got float16"),
        ({"weight_decay": 0.1}, "rdm weight decay"),
        ({"schedule": "constant"}, "rdm schedule"),
        ({"warmup_epochs": 1.0}, "rdm warmup epochs"),
    ],
)
def test_changed_settings_are_refused_in_words(copy: Path, changed: dict[str, Any], words: str):
    refused(copy, MismatchError, f"target 'rdm-10' of .* was made with another .*({words})", 10.0, 1.0, **changed)


def test_what_says_the_same_in_other_words_is_reused(copy: Path):
    assert quick(copy, 10, hidden=16, distortion="mse", reduction="sum", dtype="float32").rdms[0].reused


def test_another_parent_is_refused(copy: Path, tmp_path: Path):
    make(tmp_path / "other" / "s.zarr", factor=2.0)
    for place in ("targets", "journal", "classes"):
        shutil.rmtree(copy / place / "teacher")
        shutil.copytree(tmp_path / "other" / "s.zarr" / place / "teacher", copy / place / "teacher")
    refused(copy, MismatchError, "another parent (content|fingerprint)", 10.0)


def test_an_rdm_of_another_target_is_told_by_its_name(copy: Path):
    add_votes(open_store(copy), "votes", "image_embedding")
    words = "another parent: expected teacher, got votes.* another --distortion-weight"
    refused(copy, MismatchError, words, 10.0, target="votes")


def test_a_target_of_that_name_that_is_no_rdm(copy: Path):
    add_votes(open_store(copy), "rdm-5")
    refused(copy, MismatchError, "target 'rdm-5' .* another kind: expected classifier, got rdm", 5.0)


def test_classes_that_are_not_the_labels(tmp_path: Path):
    path = tmp_path / "s.zarr"
    make(path, class_names=[f"thing {number}" for number in range(10)])
    refused(path, MismatchError, "class 0 is 'thing 0' and 'digit 0'")
    for weight, without, scored in ((1.0, "ce_weight", False), (2.0, "kl_weight", True)):
        result = quick(path, weight, **{without: 0})
        assert (result.rdms[0].top1 is not None, result.teacher_top1) == (scored, None)
    assert open_store(path).record("rdm-1").spec.class_names[0] == "thing 0"
    assert open_store(path).record("rdm-2").spec.class_names[0] == "digit 0"


def test_no_rows_to_train_on(tmp_path: Path):
    make(tmp_path / "s.zarr", failed=dict.fromkeys(range(300), "gone"))
    refused(tmp_path / "s.zarr", DataError, "no rows are left to train on")


def test_damaged_embeddings(copy: Path):
    path = copy / "targets/teacher/image_embedding/c/2/0/0"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(CorruptError, match="image_embedding/c/2/0/0"):
        quick(copy, 3.0)


def test_damaged_embeddings_are_seen_when_only_the_writing_is_left(copy: Path):
    broken_off(stops(TargetWriter, "commit", 0, KeyboardInterrupt()), KeyboardInterrupt, copy, 3.0)
    path = copy / "targets/teacher/image_embedding/c/2/0/0"
    path.write_bytes(bytes(len(path.read_bytes())))
    with pytest.raises(CorruptError, match="image_embedding/c/2/0/0"):
        quick(copy, 3.0)
    assert not open_store(copy).record("rdm-3").sealed


def test_damaged_weights(copy: Path):
    path = copy / "targets/rdm-10/weights/c/0"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(CorruptError, match="weights/c/0"):
        load_rdm(open_store(copy), "rdm-10")


def test_a_teacher_is_no_rdm(copy: Path):
    with pytest.raises(MismatchError, match="is not an RDM"):
        load_rdm(open_store(copy), "teacher")


@pytest.mark.parametrize(("weight", "lr"), [(3.0, 1e18), (1e38, 1e-3)])
def test_a_loss_that_explodes(copy: Path, weight: float, lr: float):
    before = snapshot(copy)
    with pytest.raises(NonFiniteError, match="not finite") as caught:
        quick(copy, weight, 2.0, lr=lr)
    assert "step" in caught.value.message
    assert "--lr" in caught.value.mend
    assert snapshot(copy) == before


def test_the_last_good_weights_are_kept_where_a_loss_explodes(copy: Path):
    real, calls = Targeted.loss, [0]

    def loss(self: Targeted, out: Any, targets: Any, rows: Any) -> Any:
        calls[0] += 1
        terms = real(self, out, targets, rows)
        if calls[0] == 12:  # the second epoch: seven steps and a validation were before
            terms["rate"] = terms["rate"] * torch.tensor([1.0, float("nan")])
        return terms

    error = broken_off((Targeted, "loss", loss), NonFiniteError, copy, 3.0, 2.0)
    assert re.search(r"step 11 \(epoch 2\): .*rdm-3 rate nan", error.message)
    (work,) = (copy.parent / "s.zarr.work").iterdir()
    assert (work / "checkpoints/last/model.safetensors").exists()
    heard = Heard()
    quick(copy, 3.0, 2.0, events=heard)
    assert "resumes after epoch 1 of 2" in heard.infos
    assert not (copy.parent / "s.zarr.work").exists()


def test_outputs_that_do_not_fit_the_dtype(copy: Path, monkeypatch: pytest.MonkeyPatch):
    real = RdmStack.outputs

    def outputs(self: RdmStack, x: torch.Tensor) -> Any:
        given = real(self, x)
        given["logits"][0, 7, 3] = 1e6
        return given

    monkeypatch.setattr(RdmStack, "outputs", outputs)
    with pytest.raises(NonFiniteError, match="targets/rdm-3/logits: row 7 has NaN or infinity") as caught:
        quick(copy, 3.0, 2.0, dtype="float16")
    assert "--dtype bfloat16 or float32" in caught.value.mend
    assert not open_store(copy).record("rdm-3").sealed


@pytest.mark.parametrize("step", [0, 5, 9])
def test_an_interrupt_leaves_what_can_be_gone_on_with(tmp_path: Path, undisturbed: dict[str, bytes], step: int):
    make(tmp_path / "s.zarr")
    broken_off(stops(Fit, "step", step, KeyboardInterrupt()), KeyboardInterrupt, tmp_path / "s.zarr")
    quick(tmp_path / "s.zarr")
    assert snapshot(tmp_path) == undisturbed


def test_a_target_that_was_begun_needs_no_training(
    tmp_path: Path, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
):
    """Its weights lie in the store: the folder beside it may be gone."""
    path = tmp_path / "s.zarr"
    make(path)
    commit = TargetWriter.commit

    def interrupted(self: TargetWriter, block: int, *args: Any) -> None:
        if (self.name, block) == ("rdm-10", 3):
            raise KeyboardInterrupt
        commit(self, block, *args)

    broken_off((TargetWriter, "commit", interrupted), KeyboardInterrupt, path)
    assert open_store(path).record("rdm-10").blocks_done == 3
    with pytest.raises(UnsealedError) as caught:
        open_store(path).target("rdm-10")
    assert "teachonce rdm" in caught.value.mend
    shutil.rmtree(tmp_path / "s.zarr.work")
    monkeypatch.setattr(Fit, "run", None)
    assert quick(path).seconds == 0
    assert snapshot(tmp_path) == undisturbed


@pytest.mark.parametrize(
    ("number", "code"), [*((number, errno.ENOSPC) for number in (0, 3, 20, 30, 45, 60)), (30, errno.EROFS)]
)
def test_a_disk_that_fails(tmp_path: Path, undisturbed: dict[str, bytes], number: int, code: int):
    make(tmp_path / "s.zarr")
    fsync = stops(os, "fsync", number, OSError(code, os.strerror(code)))
    assert "could not write" in broken_off(fsync, DiskError, tmp_path / "s.zarr").message
    assert not [name for name in snapshot(tmp_path) if ".teachonce-tmp-" in name]
    quick(tmp_path / "s.zarr")
    assert snapshot(tmp_path) == undisturbed


def test_too_little_space_is_seen_before_the_start(copy: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("teachonce.places.shutil.disk_usage", lambda path: DiskUsage(0, 0, 1000))
    refused(copy, DiskError, "free.*fewer RDMs, or a smaller --hidden or --dtype", 3.0)


def test_a_read_only_store(copy: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    refused(copy, DiskError, "could not write", 3.0)
    assert quick(copy, 10).rdms[0].reused  # nothing has to be written


def test_two_processes_do_not_train_the_same(copy: Path):
    folders: list[Path] = []

    def remembered(self: Fit) -> None:
        folders.append(self.folder)
        raise KeyboardInterrupt

    broken_off((Fit, "run", remembered), KeyboardInterrupt, copy, 3.0)
    with owned(folders[0]), pytest.raises(BusyError, match="another process is training"):
        quick(copy, 3.0)
    assert not quick(copy, 3.0).rdms[0].reused

"""Teachers in half precision: other targets than those of float32, and told apart everywhere."""

import json
import shutil
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from embedding import Heard, digits, options
from torch import nn

from teachonce.cache import open_store
from teachonce.cache.dtypes import from_stored
from teachonce.engine.rows import all_digests
from teachonce.engine.session import open_session
from teachonce.engine.stage_one.again import COMPUTE_TOLERANCE
from teachonce.errors import InputError, MismatchError
from teachonce.models import load_teacher
from teachonce.models.hooked import HookedClassifier
from teachonce.models.precision import TORCH_DTYPES
from teachonce.options.train import TrainOptions
from teachonce.stages.embed import embed
from teachonce.stages.train import train
from teachonce.stages.verify import verify
from tests.models import tiny_models as tiny

DTYPES = tuple(TORCH_DTYPES)
HALF = DTYPES[1:]
ERRORS = {"bf16": 2e-2, "fp16": 3e-3}
"""Of an embedding of a tiny network, relative: rounding to 8 and 11 bits at each of its layers."""
VIT = "vit:patch=8,width=32,layers=1,heads=2"
LIVE = {"student": "cnn-2", "method": "kd", "source": "live", "teacher": VIT, "epochs": 1, "batch_size": 32}
LIVE |= {"device": "cpu", "workers": 0}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By the teacher's dtype, of a teacher in a folder."""
    home = tmp_path_factory.mktemp("stores")
    teacher = str(tiny.classifier(home / "t", "vit"))
    made = {}
    for dtype in DTYPES:
        made[dtype] = home / f"{dtype}.zarr"
        embed(teacher=teacher, data=digits(70), teacher_dtype=dtype, **options(made[dtype]))
    return made | {"teacher": home / "t"}


def fields(store: Path) -> dict[str, Any]:
    return open_store(store).sealed("teacher").fingerprint_fields


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("family", ["vit", "swin", "resnet", "deit"])
@pytest.mark.parametrize("kind", ["classifier", "encoder"])
def test_a_teacher_has_that_dtype_throughout(tmp_path: Path, kind: str, family: str, dtype: str):
    folder = str(getattr(tiny, kind)(tmp_path, family))
    plain, half = (load_teacher(folder, dtype=each) for each in ("float32", dtype))
    assert {weight.dtype for weight in half.parameters()} == {TORCH_DTYPES[dtype]}
    with torch.inference_mode():
        expected, found = (one(tiny.pixels())["image_embedding"] for one in (plain, half))
    assert found.dtype == TORCH_DTYPES[dtype]
    error = (found.float() - expected).norm() / expected.norm()
    assert 0 < error < ERRORS[dtype]
    assert isinstance(half, HookedClassifier) or (half.head() is None) == (plain.head() is None)


def test_the_fingerprint_of_float32_says_nothing_of_it_and_the_others_do(stores: dict[str, Path]):
    assert "dtype" not in fields(stores["float32"])["teacher"]
    assert [fields(stores[dtype])["teacher"]["dtype"] for dtype in HALF] == list(HALF)
    assert len({open_store(stores[dtype]).sealed("teacher").fingerprint for dtype in DTYPES}) == len(DTYPES)
    record = open_store(stores["bf16"]).sealed("teacher")
    assert (record.settings["compute_dtype"], record.attributes["teacher_dtype"]) == ("bfloat16", "bf16")


@pytest.mark.parametrize(("there", "asked"), list(permutations(DTYPES, 2)))
def test_a_store_that_was_begun_in_one_dtype_refuses_another(stores: dict[str, Path], there: str, asked: str):
    with pytest.raises(MismatchError) as caught:
        embed(teacher=str(stores["teacher"]), data=digits(70), teacher_dtype=asked, **options(stores[there]))
    assert all(word in caught.value.message for word in ("teacher dtype", there, asked))


@pytest.mark.parametrize("dtype", HALF)
def test_what_is_stored_is_what_the_teacher_gives_in_its_dtype(stores: dict[str, Path], dtype: str):
    record = open_store(stores[dtype]).sealed("teacher")
    found = from_stored(open_store(stores[dtype]).target("teacher").all("image_embedding", 0), "float16")
    other = from_stored(open_store(stores["float32"]).target("teacher").all("image_embedding", 0), "float16")
    assert record.arrays["image_embedding"].dtype == "float16"
    if dtype == "bf16":  # 8 bits are a subset of the 11 that are stored
        bits = torch.from_numpy(found.astype(np.float32)).to(torch.bfloat16)
        assert np.array_equal(bits.float().numpy(), found)
    assert not np.array_equal(found, other)


@pytest.mark.parametrize("dtype", DTYPES)
def test_verify_runs_the_teacher_in_the_dtype_of_the_target(stores: dict[str, Path], dtype: str):
    found = verify(
        store=stores[dtype], data=digits(70), teacher=str(stores["teacher"]), sample=16, device="cpu", workers=0
    )
    assert found.ok
    assert found.teacher is not None
    assert (found.teacher.differs, found.teacher.rows) == (None, 16)


def test_verify_names_the_dtype_of_a_teacher_that_has_another(stores: dict[str, Path]):
    loaded = load_teacher(str(stores["teacher"]), dtype="fp16")
    found = verify(store=stores["bf16"], data=digits(70), teacher=loaded, sample=16, device="cpu", workers=0)
    assert not found.ok
    assert found.teacher is not None
    assert found.teacher.differs == "teacher dtype"
    assert found.teacher.tolerance == COMPUTE_TOLERANCE["bfloat16"]


def test_a_loaded_teacher_keeps_its_dtype(stores: dict[str, Path], tmp_path: Path):
    loaded = load_teacher(str(stores["teacher"]), dtype="bf16")
    embed(teacher=loaded, data=digits(70), **options(tmp_path / "s.zarr"))
    assert fields(tmp_path / "s.zarr") == fields(stores["bf16"])
    with pytest.raises(InputError):
        embed(teacher=loaded, data=digits(70), teacher_dtype="fp16", **options(tmp_path / "s.zarr"))


def test_precision_is_of_float32_weights(stores: dict[str, Path], tmp_path: Path):
    heard, given = Heard(), {"teacher": str(stores["teacher"]), "data": digits(70), "precision": "float32"}
    embed(**given, teacher_dtype="bf16", events=heard, **options(tmp_path / "s.zarr"))
    assert any("--precision" in warning for warning in heard.warnings)
    journals = [open_store(path).sealed("teacher").seal["journal"] for path in (tmp_path / "s.zarr", stores["bf16"])]
    assert journals[0] == journals[1]


@pytest.mark.parametrize("name", ["float16", "bfloat16", "half", "", "FP16"])
def test_other_names_are_refused_before_anything_is_read(tmp_path: Path, name: str):
    for run in (
        lambda: embed(teacher="nowhere", data="nowhere", teacher_dtype=name, **options(tmp_path / "s.zarr")),
        lambda: train(data="nowhere", out=tmp_path / "r", **{**LIVE, "teacher_dtype": name}),
        lambda: load_teacher("nowhere", dtype=name),
    ):
        with pytest.raises(InputError, match="dtype"):
            run()
    assert list(tmp_path.iterdir()) == []


class TestLive:
    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("precision", ["float32", "bf16"])
    def test_the_teacher_computes_in_its_own_dtype(self, tmp_path: Path, dtype: str, precision: str):
        config = TrainOptions(data="digits", **LIVE, out=tmp_path / "r", teacher_dtype=dtype, precision=precision)
        data = digits(70)
        session = open_session(config, data, None, digests=all_digests(data))
        (teacher,) = session.stepper.source.networks
        linear = next(layer for layer in teacher.modules() if isinstance(layer, nn.Linear))
        seen: list[torch.dtype] = []
        linear.register_forward_hook(lambda _layer, _inputs, output: seen.append(output.dtype))
        (batch,) = list(session.feed.batches(session.loop.batches(0), 0))[:1]
        session.stepper.step(batch, view=0)
        expected = dtype if dtype != "float32" else precision  # autocast is for float32 weights
        assert seen == [TORCH_DTYPES[expected]]
        assert {weight.dtype for weight in session.stepper.student.parameters()} == {torch.float32}

    def test_runs_are_told_apart_and_those_of_float32_are_as_before(self, tmp_path: Path):
        for dtype in ("float32", "bf16"):
            train(data=digits(70), out=tmp_path / dtype, **LIVE, teacher_dtype=dtype)
        told = {d: json.loads((tmp_path / d / "run.json").read_text()) for d in ("float32", "bf16")}
        assert "teacher_dtype" not in told["float32"]["settings"]
        assert told["bf16"]["settings"]["teacher_dtype"] == told["bf16"]["teacher"]["dtype"] == "bf16"
        with pytest.raises(MismatchError):
            train(data=digits(70), out=tmp_path / "bf16", **LIVE)

    def test_another_dtype_than_the_store_is_said(self, stores: dict[str, Path], tmp_path: Path):
        data, heard = digits(70), Heard()
        given = {**LIVE, "method": "clip-teacher-kd", "teacher": str(stores["teacher"]), "store": stores["bf16"]}
        train(data=data, out=tmp_path / "a", **given, teacher_dtype="bf16", events=heard)
        assert not [warning for warning in heard.warnings if "live teacher" in warning]
        train(data=data, out=tmp_path / "b", **given, events=heard)
        (warning,) = [warning for warning in heard.warnings if "live teacher" in warning]
        assert "dtype" in warning

    def test_it_has_no_effect_on_a_cached_training(self, stores: dict[str, Path], tmp_path: Path):
        given = {**LIVE, "method": "clip-teacher-kd", "source": "cached", "teacher": None, "store": stores["bf16"]}
        heard = Heard()
        train(data=digits(70), out=tmp_path / "r", **given, teacher_dtype="bf16", events=heard)
        assert any("--teacher-dtype" in warning for warning in heard.warnings)
        assert train(data=digits(70), out=tmp_path / "r", **given).reused


def test_a_run_is_a_teacher_in_half_precision_too(tmp_path: Path):
    train(data=digits(70), out=tmp_path / "run", student=VIT, epochs=1, batch_size=32, device="cpu", workers=0)
    half = load_teacher(str(tmp_path / "run"), dtype="bf16")
    assert {weight.dtype for weight in half.parameters()} == {torch.bfloat16}
    embed(teacher=str(tmp_path / "run"), data=digits(70), teacher_dtype="bf16", **options(tmp_path / "s.zarr"))
    assert fields(tmp_path / "s.zarr")["teacher"]["weights"] == half.info.weights
    head = half.head()
    assert head is not None
    stored = open_store(tmp_path / "s.zarr").head("teacher")
    assert stored is not None
    assert np.array_equal(stored[0], head[0].float().numpy())


def test_a_repair_in_the_same_dtype_gives_the_same_bytes(stores: dict[str, Path], tmp_path: Path):
    store = Path(shutil.copytree(stores["fp16"], tmp_path / "s.zarr"))
    chunk = store / "targets/teacher/image_embedding/c/0/0/0"
    before = chunk.read_bytes()
    chunk.write_bytes(bytes(len(before)))
    with pytest.raises(MismatchError):
        embed(teacher=str(stores["teacher"]), data=digits(70), repair=True, **options(store))
    embed(teacher=str(stores["teacher"]), data=digits(70), repair=True, teacher_dtype="fp16", **options(store))
    assert chunk.read_bytes() == before

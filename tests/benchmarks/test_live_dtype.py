"""The live arm's teacher has the dtype that is fair: that of the precision, unless another one is asked for."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from teachonce.benchmarks.live.work import Work
from tests.benchmarks import livekit
from tests.benchmarks.livebench import Bench, clip
from tests.stages.trainkit import Heard


@pytest.mark.parametrize(
    ("precision", "given", "expected"),
    [
        ("float32", None, "float32"),
        ("bf16", None, "bf16"),
        ("bf16", "float32", "float32"),
        ("float32", "bf16", "bf16"),
        ("bf16", "fp16", "fp16"),
    ],
)
def test_store_and_live_arm_have_the_same_teacher(bench: Bench, precision: str, given: str | None, expected: str):
    case = clip(methods="clip-teacher-kd", precision=precision, teacher_dtype=given)
    assert (case["precision"], case["teacher_dtype"]) == (precision, expected)
    assert [spec.teacher_dtype for spec in bench.staged] == [expected]
    assert {spec.config.teacher_dtype for spec in bench.conducted[0].values()} == {expected}


def _copied(path: Path) -> Path:
    return Path(shutil.copy(path, path.with_name("copy.json")))


def test_cases_that_were_measured_with_another_teacher_are_measured_anew(bench: Bench, tmp_path: Path):
    out = tmp_path / "live.json"
    options = {"methods": "clip-teacher-kd", "precision": ("float32", "bf16"), "out": out}
    clip(**options)
    file = json.loads(out.read_text())
    assert "teacher_dtype" not in file["settings"]
    for case in file["cases"]:  # as a version wrote it whose teachers were float32
        del case["teacher_dtype"]
    out.write_text(json.dumps(file))
    heard = Heard()
    kept = clip(**options | {"out": _copied(out)}, teacher_dtype="float32", events=heard)
    assert (len(bench.conducted), heard.warnings) == (2, [])
    assert not any("teacher_dtype" in case for case in kept["cases"])
    found = clip(**options, events=heard)
    assert sum(str(out) in text and ", bf16, " in text for text in heard.warnings) == 1
    assert [case["teacher_dtype"] for case in found["cases"] if "teacher_dtype" in case] == ["bf16"]
    assert len(bench.conducted) == 3


def test_a_live_teacher_in_bf16_takes_half_the_bytes(tmp_path: Path):
    store = livekit.make_store(tmp_path / "s.zarr")
    told = {}
    for dtype in ("float32", "bf16"):
        spec = livekit.spec("live", store, source="live", student="cnn-2", teacher_dtype=dtype)
        told[dtype] = Work(spec).ready(1).teacher_bytes
    assert told["bf16"] * 2 == told["float32"] > 0


@pytest.mark.parametrize("dtype", ["float32", "bf16"])
def test_the_bare_forward_computes_as_the_live_arm_does(tmp_path: Path, dtype: str):
    store = livekit.make_store(tmp_path / "s.zarr")
    spec = livekit.spec("live", store, source="live", student="cnn-2", precision="bf16", teacher_dtype=dtype)
    work = Work(spec)
    seen: list[tuple[bool, torch.dtype]] = []
    teacher = work.session.stepper.source.networks[0]
    teacher.register_forward_hook(
        lambda _, __, signal: seen.append((torch.is_autocast_enabled("cpu"), signal["image_embedding"].dtype))
    )
    work.steps.run(1)
    work.teacher(1, 0)
    assert len(set(seen)) == 1
    assert seen[0][0] is (dtype == "float32")  # autocast is for float32 weights alone

"""`bench live` from end to end: real processes on digits, and what people and programs read of it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from teachonce.benchmarks.live import sweep
from teachonce.benchmarks.live.arm import ArmSpec
from teachonce.benchmarks.live.armspecs import arm_specs
from teachonce.benchmarks.live.conduct import Key
from teachonce.benchmarks.live.data import DataSpec
from teachonce.benchmarks.live.records import live_result
from teachonce.benchmarks.live.stage_one import StageSpec, measure_stage_one
from teachonce.console.live import live_parts
from teachonce.console.tables import show
from teachonce.errors import ModelError, TeachonceError
from tests.benchmarks import livekit
from tests.stages.trainkit import Heard

SMALL = "tests.models.student_factories:own"
QUICK: dict[str, Any] = {"teacher": "cnn-10", "student": SMALL, "data": "digits", "rows": 96}
QUICK |= {"batch_size": 16, "starts": 1, "threads": 1, "workers": 0, "device": "cpu"}
"""A student without transformers: its processes start sooner."""
WORDS = [
    "bench",
    "live",
    *(word for key, value in QUICK.items() for word in (f"--{key.replace('_', '-')}", str(value))),
]
WORDS += ["--rounds", "2", "--steps", "1"]
WORDS += ["--method", "cifd", "--distortion-weight", "10,1"]


def start(*words: object, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "teachonce", *map(str, words)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **pipes, **options)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("live")


@pytest.fixture(scope="module")
def told(place: Path) -> tuple[dict[str, Any], str]:
    """The result and what was said on the way, of the command as a user gives it."""
    process = start(*WORDS, "--starts", "2", "--out", place / "live.json", "--json")
    out, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    return json.loads(out), said


def test_the_result(told: tuple[dict[str, Any], str]):
    found = told[0]
    assert (found["kind"], found["case"], found["rows"], found["epoch_rows"]) == (
        "teachonce.bench-live",
        None,
        96,
        1437,
    )
    assert found["command"].startswith("teachonce bench live --teacher ")
    assert found["memory_meter"] == "tensors"
    assert found["stage_one"]["rows"] == 96
    method = found["methods"]["cifd"]
    arms = method["arms"]
    assert list(arms) == ["student-only", "constant", "cached", "live"]
    assert all(arm["step_ms"] > 0 and arm["host_memory_bytes"] > 1e8 for arm in arms.values())
    assert all(0 < arm["allocated_bytes"] < arm["peak_memory_bytes"] for arm in arms.values())
    assert {name for name, arm in arms.items() if arm["parts_ms"]["teacher"]} == {"live"}
    assert 1 < method["memory_ratio"] < 1.1 * method["memory_ceiling"]  # far below: what is small is mostly no weights
    assert (method["live_method"], method["rdm"]) == ("cifd", ["rdm-10", "rdm-1"])
    assert method["rdm_s"] > 0


def test_progress_is_told_and_what_is_no_news_is_not(told: tuple[dict[str, Any], str]):
    said = told[1]
    for line in ("run the teacher over bench.zarr: 96/96 rows", "start the arms: 4/4 arms", "rounds: 2/2 rounds"):
        assert line in said
    assert said.count("start the arms: 4/4 arms") == 2
    assert said.count("parts and memory: 4/4 arms") == 1
    assert "near chance" not in said


def test_the_same_command_reuses_its_file(told: tuple[dict[str, Any], str], place: Path):
    before = (place / "live.json").read_bytes()
    assert json.loads(before)["methods"] == told[0]["methods"]
    out, said = start(*WORDS, "--starts", "2", "--out", place / "live.json").communicate(timeout=60)
    assert "has 1 of 1 cases: they are reused" in said
    assert "start the arms" not in said
    first, *_ = out.splitlines()
    assert first == f"cifd: {told[0]['methods']['cifd']['verdict']}"
    for text in ("memory between steps", "method cifd", "break-even"):
        assert text in out
    assert (place / "live.json").read_bytes() == before


def test_a_sweep_is_a_line_a_method(told: tuple[dict[str, Any], str], capsys: pytest.CaptureFixture[str]):
    found = told[0]["methods"]["cifd"]
    paid = {
        "pays": "live",
        "speedup": 2.5,
        "spread": found["spread"] | {"speedup": [2.4, 2.6]},
        "break_even_epochs": 99.0,
    }
    case = told[0] | {"methods": {"cifd": found | paid | {"live_method": "kd"}}}
    claims = {"memory_9x": [], "memory_9x_at_peak": [], "time_8x": ["b16-32, batch 16, float32, eager, cifd"]}
    common = {"preset": "clip-embed-kd", "device": "cpu", "left_out": {"l32-64, batch 256": "not enough memory"}}
    several = {**common, "cases": [case, case | {"batch_size": 32}], "claims": claims}
    show(*live_parts(live_result(several, "a sweep", mend="")))
    shown = capsys.readouterr().out
    assert shown.startswith("The live teacher is better here: a step from the cache takes 2.5 times less time, but ")
    assert "live rival of cifd kd" in " ".join(shown.split())
    assert shown.count("float32, eager  cifd") == 2
    assert "9 times less memory between steps  nowhere here" in " ".join(shown.split("\n"))
    assert "b16-32, batch 16, float32, eager, cifd" in shown
    assert "left out: l32-64, batch 256" in shown


def test_ctrl_c_ends_in_one_line_and_leaves_nothing(tmp_path: Path):
    process = start(*WORDS, "--json", env=os.environ | {"TMPDIR": str(tmp_path)}, process_group=0)
    assert process.stderr is not None
    said = process.stderr.readline()
    while "start the arms" not in said:
        assert said, "it ended by itself"
        said = process.stderr.readline()
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    assert json.loads(out)["error"]["kind"] == "interrupted"
    assert "Traceback" not in said
    assert time.monotonic() - began < 30
    assert not list(tmp_path.glob("teachonce-*"))


@pytest.mark.parametrize("wrap", [None, "slow"])
def test_a_slowed_down_teacher_fails_the_check_and_one_as_it_is_does_not(
    monkeypatch: pytest.MonkeyPatch, wrap: str | None
):
    """Real processes, from the store to the verdict; the slow arm sleeps 40 ms in every step."""

    def specs(*told: Any) -> dict[Key, ArmSpec]:
        made = arm_specs(*told)
        named = None if wrap is None else f"{livekit.__name__}:{wrap}"
        return {key: replace(one, wrap=named) if key.kind == "live" else one for key, one in made.items()}

    monkeypatch.setattr(sweep, "arm_specs", specs)
    options = QUICK if wrap else QUICK | {"student": livekit.STUDENT}  # whose steps are long enough to be compared
    found = sweep.bench_live(methods="kd", rounds=6, steps=3, **options)
    check = found.methods["kd"].live_check
    flattered = [note for note in found.warnings if "speed-up is exaggerated" in note]
    if wrap is None:
        assert check.ratio < 1.5  # of a busy machine, too
        assert check.within == (0.9 <= check.ratio <= 1.1)
    else:
        assert check.ratio > 2
        assert not check.within
        assert len(flattered) == 1


def stage(**changed: Any) -> StageSpec:
    made: dict[str, Any] = {"teacher": "cnn-2", "data": DataSpec(data="digits"), "rows": (64, 64)}
    made |= {"store": Path(tempfile.gettempdir()) / "never" / "bench.zarr", "device": "cpu", "precision": "float32"}
    return StageSpec(**(made | changed))


def test_an_error_of_stage_one_is_ours():
    with pytest.raises(ModelError, match="vit has no option 'pach'"):
        measure_stage_one(stage(teacher="vit:pach=4"), Heard())


def test_a_fast_teacher_runs_over_more_rows(tmp_path: Path):
    heard = Heard()
    made = measure_stage_one(stage(store=tmp_path / "bench.zarr", rows=(32, 400)), heard)
    assert 32 <= made.found.rows <= 400
    assert made.found.samples_per_s == pytest.approx(made.found.rows / made.found.seconds)
    assert made.found.bytes_per_sample > 2 * 64
    assert made.teacher_image_size == 32
    assert not heard.warnings
    assert (made.rdm, made.rdm_samples_per_s) == ((), None)


def test_a_process_that_dies_is_told_of():
    with pytest.raises(TeachonceError, match="stage one: its process ended with code 3") as caught:
        measure_stage_one(stage(teacher="tests.benchmarks.livemade:gone"), Heard())
    assert "--rows" in caught.value.mend

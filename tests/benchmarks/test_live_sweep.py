"""What `bench live` measures, refuses, keeps and goes on from, on measurements made by hand."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from teachonce.benchmarks.live import sweep
from teachonce.benchmarks.live.arm import ArmSpec
from teachonce.benchmarks.live.conduct import Key, Measured
from teachonce.benchmarks.live.outfile import claims_of
from teachonce.benchmarks.live.presets import PRESETS
from teachonce.benchmarks.live.records import CaseResult
from teachonce.benchmarks.live.sweep import bench_live
from teachonce.engine.settings import check_training
from teachonce.errors import (
    CorruptError,
    CutShortError,
    DiskError,
    InputError,
    MismatchError,
    ModelError,
    TeachonceError,
)
from teachonce.methods.clip_embed_kd import MEMORY_CLAIM, TIME_CLAIM
from teachonce.models.students import check_student
from tests.benchmarks.livebench import OWN, Bench, clip
from tests.plots.benchkit import live_case
from tests.stages.trainkit import Heard


def test_one_case(bench: Bench):
    case = clip(batch_size=8)
    head = ["kind", "format", "preset", "device", "machine", "versions", "command", "case", "teacher"]
    assert list(case)[: len(head)] == head
    assert (case["kind"], case["format"], case["preset"], case["case"]) == (
        "teachonce.bench-live",
        1,
        "clip-embed-kd",
        "l32-32",
    )
    assert (case["device"], case["precision"], case["compile"], case["batch_size"]) == ("cpu", "float32", False, 8)
    assert (case["image_size"], case["teacher_image_size"]) == (32, 224)
    assert (case["steps"], case["rounds"], case["starts"]) == (5, 9, 3)
    assert case["stage_one"].keys() == {"rows", "seconds", "samples_per_s", "bytes_per_sample", "peak_memory_bytes"}
    assert case["teacher_forward_ms"] == 33.0
    assert case["warnings"] == []
    json.dumps(case, allow_nan=False)


def test_the_numbers_of_a_method(bench: Bench):
    found = clip(batch_size=8)["methods"]["clip-teacher-kd"]
    live = found["arms"]["live"]
    assert live["samples_per_s"] == pytest.approx(8 / 0.044)
    assert live["epoch_s"] == pytest.approx(0.044 * 50_000 / 8)
    assert found["speedup"] == pytest.approx(4.0)
    assert found["time_ceiling"] == pytest.approx(4.0)
    assert found["share_of_limit"] == pytest.approx(1.0)
    assert found["live_check"] == {"ratio": pytest.approx(1.0), "limit": 1.1, "within": True}
    assert (found["memory_ratio"], found["memory_ceiling"], found["share_of_memory_limit"]) == (9.0, 9.0, 1.0)
    assert (found["peak_memory_ratio"], found["peak_memory_ceiling"]) == (3.0, 3.0)
    assert found["memory_overhead_cache"] == 1.0
    assert found["store_bytes"] == 500 * 50_000
    assert found["stage_one_s"] == pytest.approx(50_000 / 64)
    saved = (0.044 - 0.011) * 50_000 / 8
    assert found["break_even_epochs"] == pytest.approx(50_000 / 64 / saved)
    assert found["break_even_students"] == pytest.approx(50_000 / 64 / saved / 200)
    assert (found["pays"], found["rdm"], found["rdm_s"]) == ("cached", [], 0.0)
    images = 10 * 50_000 / 128  # of an epoch, and they are kept
    assert found["memory_ratio_at_epoch"] == pytest.approx((890 + images) / (90 + images), rel=1e-3)
    assert found["memory_ceiling_at_epoch"] == found["memory_ratio_at_epoch"]
    assert found["memory_ratio_without_data"] == pytest.approx(890 / 90)
    assert found["memory_overhead_cache_at_epoch"] == 1.0
    assert found["verdict"].startswith("From the cache a step takes 4 times less time and 1.2 times less memory")


def test_class_means_are_compared_with_the_method_that_asks_the_teacher(bench: Bench):
    methods = clip()["methods"]
    assert {name: found["live_method"] for name, found in methods.items()} == {
        "clip-embed-kd": "clip-teacher-kd",
        "clip-teacher-kd": "clip-teacher-kd",
    }
    assert set(bench.conducted[0]) == {
        ("student-only", "ce"),
        ("constant", "clip-embed-kd"),
        ("cached", "clip-embed-kd"),
        ("constant", "clip-teacher-kd"),
        ("cached", "clip-teacher-kd"),
        ("live", "clip-teacher-kd"),
    }


def test_all_arms_have_the_same_training(bench: Bench):
    bench_live(
        **OWN, methods=("kd", "clip-embed-kd"), batch_size=32, precision="bf16", compile="yes", seed=3, threads=1
    )
    specs = bench.conducted[0]
    for key, spec in specs.items():
        assert spec.kind == key.kind
        config = spec.config
        assert (config.batch_size, config.precision, config.compile, config.seed) == (32, "bf16", True, 3)
        assert (config.student, config.image_size, config.val_fraction, spec.threads) == ("cnn-2", None, 0.0, 1)
        assert spec.data.limit == 128
        assert config.source == ("live" if key.kind == "live" else "cached")
        check_training(config)
    assert len({spec.config.store for spec in specs.values()}) == 1


def test_rdms_are_charged_to_the_cache(bench: Bench):
    methods = bench_live(preset="cifd-imagenet", device="cpu").methods
    assert bench.staged[0].distortion_weight == (1e4, 5e3, 1e3)
    assert bench.staged[0].rdm_preset == "r34"
    kd, cifd = methods["kd"], methods["cifd"]
    assert kd.rdm == ()
    assert cifd.rdm == ("rdm-10000", "rdm-5000", "rdm-1000")
    assert (kd.rdm_s, cifd.rdm_s) == (0.0, pytest.approx(1_281_167 * (30 + 1) / 1000))
    assert cifd.store_bytes - kd.store_bytes == 50 * 1_281_167
    assert cifd.break_even_epochs > kd.break_even_epochs
    assert bench.conducted[0][Key("cached", "kd")].config.rdm == ()
    assert len(bench.conducted[0][Key("live", "cifd")].config.rdm) == 3


def test_a_live_arm_that_is_too_slow_is_told_of(bench: Bench):
    bench.teacher_ms = 20.0
    heard = Heard()
    case = clip(methods="clip-teacher-kd", events=heard)
    check = case["methods"]["clip-teacher-kd"]["live_check"]
    assert not check["within"]
    assert check["ratio"] == pytest.approx(44 / 31)
    assert "slower than necessary" in case["warnings"][0]
    assert heard.warnings == case["warnings"]


def test_a_sweep(bench: Bench):
    found = clip(cases="all", methods="clip-teacher-kd", batch_size=(8, 64), precision=("float32", "bf16"))
    assert len(found["cases"]) == 16 * 2 * 2
    assert "machine" in found
    assert found["cases"][0].keys() >= {"kind", "case", "batch_size", "precision", "methods", "machine"}
    assert len({(c["case"], c["batch_size"], c["precision"]) for c in found["cases"]}) == 64
    assert len(bench.staged) == 4 * 2  # a store for each teacher and precision
    assert not any(spec.store.parent.exists() for spec in bench.staged)
    assert found["claims"]["memory_9x"] == []  # with an epoch's images; the 128 rows here would make it 9
    assert len(found["claims"]["memory_9x_without_data"]) == 64
    assert found["claims"]["time_8x"] == []
    assert found["left_out"] == {}


def test_claims_name_the_settings_where_they_hold():
    def case(memory: float, bare: float, peak: float, speed: float) -> CaseResult:
        ratios = {"memory_ratio": 99.0, "memory_ratio_at_epoch": memory, "memory_ratio_without_data": bare}
        found = live_case(method="kd", peak_memory_ratio=peak, speedup=speed, **ratios)
        assert replace(found.methods["kd"], memory_ratio_at_epoch=None).claims["memory_9x"]
        return found

    found = claims_of({"a": case(9.0, 9.5, 8.9, 7.9), "b": case(8.9, 9.0, 9.0, 8.0)})
    assert found == {
        "memory_9x": ("a, kd",),
        "memory_9x_without_data": ("a, kd", "b, kd"),
        "memory_9x_at_peak": ("b, kd",),
        "time_8x": ("b, kd",),
    }
    least = claims_of({"least": case(MEMORY_CLAIM, MEMORY_CLAIM, MEMORY_CLAIM, TIME_CLAIM)})
    assert set(least.values()) == {("least, kd",)}  # the same figures as in pictures and reports


def test_a_killed_sweep_goes_on(bench: Bench, tmp_path: Path):
    out, heard = tmp_path / "live.json", Heard()
    options: dict[str, Any] = {"cases": ("b32-32", "b16-64"), "batch_size": (8, 64), "out": out, "events": heard}
    bench.stop_after = 3
    with pytest.raises(KeyboardInterrupt):
        clip(**options)
    assert not any(spec.store.parent.exists() for spec in bench.staged)
    kept = json.loads(out.read_text())
    assert [(case["case"], case["batch_size"]) for case in kept["cases"]] == [
        ("b32-32", 8),
        ("b32-32", 64),
        ("b16-64", 8),
    ]
    bench.stop_after = 1000
    found = clip(**options)
    assert len(bench.conducted) == 4
    assert heard.infos[-2:] == [f"{out} has 3 of 4 cases: it resumes", "now b16-64, batch 64, float32, eager"]
    assert json.loads(out.read_text())["cases"] == found["cases"]
    assert len(found["cases"]) == 4
    again = clip(**options)
    assert again == found
    assert len(bench.conducted) == 4


def test_what_another_version_has_written_into_a_case_is_kept(bench: Bench, tmp_path: Path):
    out, sizes, newer = tmp_path / "live.json", (8, 64), {"newer": [1, {"a": None}]}
    bench.stop_after = 1
    with pytest.raises(KeyboardInterrupt):
        clip(out=out, batch_size=sizes)
    kept = json.loads(out.read_text())
    method = kept["cases"][0]["methods"]["clip-teacher-kd"]
    for each in (kept["cases"][0], method, method["arms"], method["arms"]["live"]):
        each |= newer
    out.write_text(json.dumps(kept))
    bench.stop_after = 2
    clip(out=out, batch_size=sizes)
    assert json.loads(out.read_text())["cases"][0] == kept["cases"][0]


def test_one_case_in_a_file(bench: Bench, tmp_path: Path):
    out = tmp_path / "live.json"
    found = clip(out=out)
    assert {key: value for key, value in json.loads(out.read_text()).items() if key != "settings"} == found
    assert clip(out=out) == found
    assert len(bench.conducted) == 1


def test_a_sweep_goes_on_without_what_the_memory_does_not_hold(bench: Bench, tmp_path: Path):
    bench.stop_after, bench.stop = 1, TeachonceError("arm live: not enough memory", "Use a smaller --batch-size")
    heard, options = Heard(), {"batch_size": (8, 256), "out": tmp_path / "live.json"}
    found = clip(**options, events=heard)
    assert found["left_out"] == {"l32-32, batch 256, float32, eager": "arm live: not enough memory"}
    assert [case["batch_size"] for case in found["cases"]] == [8]
    assert "is left out: arm live" in heard.warnings[0]
    bench.stop_after = 1000
    assert [case["batch_size"] for case in clip(**options)["cases"]] == [8, 256]


@pytest.mark.parametrize("error", [TeachonceError("not enough memory"), ModelError("no such student")])
def test_what_no_case_survives_is_an_error(bench: Bench, error: TeachonceError):
    bench.stop_after, bench.stop = 0, error
    with pytest.raises(type(error), match=error.message):
        clip(batch_size=(8, 256))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"rounds": 7}, "measured with rounds 9, got 7"),
        ({"batch_size": 32}, "measured with batch_sizes"),
        ({"cases": "b16-32"}, "measured with cases"),
        ({"precision": "bf16"}, "measured with precisions"),
    ],
)
def test_other_settings_are_refused(bench: Bench, tmp_path: Path, changed: dict[str, Any], told: str):
    out = tmp_path / "live.json"
    clip(out=out)
    before = out.read_bytes()
    with pytest.raises(MismatchError, match=told):
        clip(out=out, **changed)
    assert out.read_bytes() == before
    assert len(bench.conducted) == 1


@pytest.mark.parametrize("text", ["{", '{"kind": "teachonce.run", "format": 1}', "[]", "null"])
def test_another_file_is_left_alone(bench: Bench, tmp_path: Path, text: str):
    out = tmp_path / "live.json"
    out.write_text(text)
    with pytest.raises(CorruptError, match=r"live\.json"):
        clip(out=out)
    assert out.read_text() == text


@pytest.mark.parametrize("place", ["/dev/null", "."])  # a device may be read without end
def test_what_is_no_file_is_told_before_anything_runs(bench: Bench, tmp_path: Path, place: str):
    with pytest.raises(InputError, match="expected a file"):
        clip(out=tmp_path / place)
    assert not bench.staged


@dataclass
class Meanwhile:
    """A process that ends its first case when another command has kept something in the same file."""

    bench: Bench
    other: Callable[[], object]

    def __call__(self, specs: Mapping[Key, ArmSpec], **options: Any) -> Measured:
        found = self.bench.conduct(specs, **options)
        if len(self.bench.conducted) == 1:
            self.other()
        return found


def test_what_another_command_has_kept_meanwhile_is_not_lost(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out, sizes = tmp_path / "live.json", (8, 64)
    clip(out=tmp_path / "other.json", batch_size=sizes)
    bench.conducted.clear()
    monkeypatch.setattr(sweep, "conduct", Meanwhile(bench, lambda: (tmp_path / "other.json").rename(out)))
    bench.stop_after = 1
    with pytest.raises(KeyboardInterrupt):
        clip(out=out, batch_size=sizes)
    assert {case["batch_size"] for case in json.loads(out.read_text())["cases"]} == {8, 64}


def test_a_file_that_another_command_has_made_meanwhile_is_left_alone(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out = tmp_path / "live.json"
    clip(out=tmp_path / "other.json", rounds=7)
    bench.conducted.clear()
    monkeypatch.setattr(sweep, "conduct", Meanwhile(bench, lambda: (tmp_path / "other.json").rename(out)))
    with pytest.raises(
        CutShortError, match="with rounds 7, got 9: another command has written it in the meantime"
    ) as caught:
        clip(out=out)
    assert caught.value.result.rounds == 9
    assert json.loads(out.read_text())["rounds"] == 7


def test_a_place_that_cannot_be_written_is_told_before_anything_runs(bench: Bench, tmp_path: Path):
    (tmp_path / "file").touch()
    for place, told in (("file/live.json", "is not a folder"), (f"{'x' * 300}.json", "File name too long")):
        with pytest.raises(DiskError, match=r"could not write .*json") as caught:
            clip(out=tmp_path / place)
        assert told in f"{caught.value.message} {caught.value.mend}"
    assert not bench.staged


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_folder_that_takes_no_files_is_told_before_anything_runs(bench: Bench):
    with pytest.raises(DiskError, match=r"could not write /proc/live\.json") as told:
        clip(out=Path("/proc/live.json"))
    assert told.value.mend.startswith("Choose another --out: /proc ")
    assert not bench.staged


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "expected a preset, or a teacher"),
        ({"teacher": "cnn-2", "student": "cnn-2"}, "expected data in addition to a teacher"),
        ({"preset": "clip"}, "no preset 'clip'"),
        ({"preset": "clip-embed-kd", "teacher": "cnn-2"}, "has its own teachers"),
        ({"preset": "clip-embed-kd", "data": "digits"}, "random images of its own"),
        ({"preset": "clip-embed-kd", "cases": ("b32-32", "x")}, "no case 'x'"),
        ({**OWN, "cases": "all"}, "cases belong to a preset"),
        ({**OWN, "methods": "ce"}, "no teacher to compare with"),
        ({**OWN, "methods": "cifd"}, "cifd needs RDMs"),
        ({**OWN, "methods": "dgkd"}, "targets of other models"),
        ({**OWN, "methods": ("kd", "kd")}, "given twice"),
        ({**OWN, "methods": "kdd"}, "no method 'kdd'"),
        ({**OWN, "distortion_weight": 1.0}, "no method learns from RDMs"),
        ({**OWN, "batch_size": (8, 0)}, "batch size must be at least 1"),
        ({**OWN, "batch_size": 64, "rows": 32}, "the batch size is 64, but there are 32 rows"),
        ({**OWN, "rows": 5000}, "the data have 1437"),
        ({**OWN, "precision": "fp8"}, "unknown precision"),
        ({**OWN, "student": "cnn2"}, "no student 'cnn2'"),
        ({**OWN, "rounds": 0}, "rounds: expected at least 1"),
        ({**OWN, "steps": 0}, "steps: expected at least 1"),
        ({**OWN, "device": "cuda:77"}, "cuda:77"),
    ],
)
def test_what_cannot_be_measured_is_said_at_once(bench: Bench, options: dict[str, Any], told: str):
    with pytest.raises((InputError, ModelError), match=told):
        bench_live(**options)
    assert not bench.staged


def test_presets_are_the_papers():
    clips, imagenet = PRESETS["clip-embed-kd"], PRESETS["cifd-imagenet"]
    base = ["l32-32", "l32-64", "l16-32", "l16-64", "b32-32", "b32-64", "b16-32", "b16-64"]
    assert list(clips.cases) == [*base, *(f"{name}-large" for name in base)]
    base_student, large = "vit:patch=4,width=256,layers=6,heads=8", "vit:patch=4,width=384,layers=12,heads=12"
    assert [case.student for case in clips.cases.values()] == [base_student] * 8 + [large] * 8
    for case in clips.cases.values():
        check_student(case.student, case.image_size)
    assert (clips.epochs, clips.epoch_rows, clips.classes) == (200, 50_000, 100)
    assert list(imagenet.cases) == ["r34-r18", "r50-mbv1"]
    assert (imagenet.epochs, imagenet.epoch_rows, imagenet.classes) == (88, 1_281_167, 1000)

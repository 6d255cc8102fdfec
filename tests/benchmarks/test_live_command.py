"""`bench live` as people see it: on narrow terminals, on full disks; and its option for labels."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from teachonce.benchmarks.live.sweep import bench_live
from teachonce.console.live import live_parts
from teachonce.errors import CutShortError, DiskError
from tests.benchmarks.livebench import CLIP, OWN, Bench, clip
from tests.cli import made
from tests.cli.conftest import Call

SWEPT = {"cases": ("l32-32", "b16-64"), "batch_size": (8, 64)}


@pytest.mark.parametrize("width", [40, 70, 100, 240])
@pytest.mark.parametrize("options", [{}, {**OWN, "preset": None}, SWEPT], ids=["one", "own", "sweep"])
def test_nothing_is_cut_on_a_narrow_terminal(bench: Bench, width: int, options: dict[str, Any]):
    found = bench_live(**CLIP | options)
    console = Console(width=width, highlight=False, file=(file := io.StringIO()))
    console.print(*live_parts(found), sep="\n")
    text = file.getvalue()
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    assert max(map(len, text.splitlines())) <= width
    whole = (
        ["case", "setting", "method"] if options is SWEPT else ["student-only", "constant", "quartiles", "optimiser"]
    )
    if width >= 70:
        assert {*whole, "memory", "cached", "live"} <= set(text.split())


def test_one_is_no_plural(bench: Bench):
    file = io.StringIO()
    Console(width=240, file=file).print(*live_parts(bench_live(**CLIP, rounds=1, epochs=1, threads=1)), sep="\n")
    assert re.findall(r"\b1 (?:rounds|steps|epochs|threads)\b", file.getvalue()) == []
    assert "1 round in turns" in file.getvalue()
    assert "5 steps each" in file.getvalue()


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise DiskError("could not write live.json: No space left on device", "Free some space")

    monkeypatch.setattr("teachonce.benchmarks.live.outfile.write", full)


LIVE = ("bench", "live", "--preset", "clip-embed-kd", "--device", "cpu", "--out")


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("sizes", ["8", "8,64"])
def test_what_was_measured_when_the_disk_filled_is_not_lost(call: Call, bench: Bench, tmp_path: Path, sizes: str):
    words = (*LIVE, tmp_path / "live.json", "--batch-size", sizes)
    done = call(*words)
    assert done.code == 1
    assert "4 times less time" in done.out if sizes == "8" else "clip-teacher-kd" in done.out
    assert done.err.splitlines()[-2:] == [
        "error: could not write live.json: No space left on device",
        "hint: Free some space",
    ]
    found = call(*words, "--json")
    assert found.error["kind"] == "disk"
    (case,) = found.json.get("cases", [found.json])
    assert case["methods"]["clip-embed-kd"]["speedup"] == pytest.approx(4.0)
    assert len(bench.conducted) == 2  # and no case after the one that could not be kept


@pytest.mark.parametrize("sizes", ["8", "8,64"])
@pytest.mark.parametrize("as_json", [False, True])
def test_each_warning_is_printed_once(call: Call, bench: Bench, tmp_path: Path, sizes: str, as_json: bool):
    bench.teacher_ms, bench.warnings = 20.0, ("the live teacher has other weights",)
    words = (*LIVE, tmp_path / "live.json", "--batch-size", sizes, *(["--json"] if as_json else []))
    first, again = call(*words), call(*words)  # the second measures nothing
    for done, of_arms in ((first, 1), (again, 0)):
        printed = done.err if as_json else done.out + done.err
        assert printed.count("slower than necessary") == 2 * len(sizes.split(","))  # of each method
        assert printed.count("other weights") == of_arms
        warnings = [line for line in printed.splitlines() if line.startswith("warning: ")]
        assert len(set(warnings)) == len(warnings) == 2 * len(sizes.split(",")) + of_arms


def test_from_python_the_error_has_what_was_measured(bench: Bench):
    bench.stop_after, bench.stop = 1, DiskError("no space for the next store")
    with pytest.raises(CutShortError, match="next store") as caught:
        clip(batch_size=(8, 64))
    assert [case.batch_size for case in caught.value.result.cases] == [8]
    with pytest.raises(DiskError) as plain:
        clip(batch_size=(8, 64))
    assert not isinstance(plain.value, CutShortError)  # nothing was measured


def test_the_column_of_labels_is_named(bench: Bench, tmp_path: Path, call: Call):
    data = made.parquet(tmp_path / "d.parquet", made.pictures(), made.labels())
    own = {"teacher": "cnn-2", "student": "cnn-2", "data": data, "device": "cpu", "rows": 64}
    assert "labels in column 'label'" not in bench_live(**own).data
    assert bench_live(**own, label_column="label").data.endswith("labels in column 'label'")
    assert bench.staged[-1].data.label_column == "label"
    words = ("--teacher", "cnn-2", "--student", "cnn-2", "--data", data, "--label-column", "image", "--json")
    assert "image" in call("bench", "live", *words).error["message"]

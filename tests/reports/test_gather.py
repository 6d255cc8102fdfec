"""What a report takes, what it refuses, and what it tells of what is left out."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from teachonce.errors import CorruptError, InputError, StoreMissingError
from teachonce.events import SILENT
from teachonce.reports.build import build_page
from teachonce.reports.gather import gather
from tests.plots.plotkit import make_store
from tests.reports.reportkit import case, live_json, make_run, method_result, names
from tests.stages.trainkit import Heard


def test_places_of_every_kind(tmp_path: Path):
    store = make_store(tmp_path / "s.zarr")
    make_run(tmp_path / "runs" / "kd", store=store)
    bench = live_json(tmp_path / "live.json", case({"kd": method_result()}))
    found = gather([tmp_path / "runs", store.path, bench], store=None, events=SILENT)
    assert [run.folder.name for run in found.runs] == ["kd"]
    assert [one.path for one in found.stores] == [store.path]
    assert [one.result.kind for one in found.benches] == ["teachonce.bench-live"]


def test_the_store_of_a_run_is_found_beside_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = make_store(tmp_path / "home" / "s.zarr")
    make_run(tmp_path / "home" / "runs" / "kd", store=store)
    path = tmp_path / "home" / "runs" / "kd" / "run.json"
    told = json.loads(path.read_text())
    told["store"]["path"] = "s.zarr"  # relative to where the command was given
    path.write_text(json.dumps(told))
    monkeypatch.chdir(tmp_path)
    (found,) = gather([Path("home/runs")], store=None, events=SILENT).stores
    assert found.path.resolve() == store.path


def test_a_store_that_is_gone_is_told_once(tmp_path: Path):
    store = make_store(tmp_path / "s.zarr")
    for seed in (0, 1):
        make_run(tmp_path / "runs" / f"kd-{seed}", store=store, seed=seed, losses=[1.0], accuracies=[0.5])
    shutil.move(store.path, tmp_path / "moved.zarr")
    heard = Heard()
    page = build_page([tmp_path / "runs"], events=heard)
    assert page.warnings == tuple(heard.warnings)
    (warning,) = heard.warnings
    assert "s.zarr: give it with --store" in warning
    assert "store" not in names(page)
    given = build_page([tmp_path / "runs"], store=tmp_path / "moved.zarr")
    assert given.warnings == ()
    assert "store" in names(given)


def test_another_store_of_that_name_is_not_the_runs(tmp_path: Path):
    store = make_store(tmp_path / "s.zarr")
    make_run(tmp_path / "kd", store=store)
    shutil.rmtree(store.path)
    make_store(tmp_path / "s.zarr", with_labels=False)
    assert gather([tmp_path / "kd"], store=None, events=SILENT).stores == ()


@pytest.mark.parametrize(
    ("content", "error", "told"),
    [
        ("{", CorruptError, "cannot be read as JSON"),
        ("[]", InputError, "not a result that a report shows"),
        ('{"kind": "teachonce.run"}', InputError, "not a result that a report shows"),
        ('{"arms": {}}', InputError, "not a result that a report shows"),
        ("[" * 100_000, CorruptError, "cannot be read as JSON"),
        ('{"kind": "teachonce.estimate", "seconds": NaN}', CorruptError, "NaN is no number"),
    ],
)
def test_files_of_other_kinds(tmp_path: Path, content: str, error: type[Exception], told: str):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(error, match=told) as caught:
        build_page([tmp_path / "a.json"])
    assert "bench live" in caught.value.mend


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "teachonce.bench-live"},
        {"kind": "teachonce.bench-live", "methods": {"kd": {}}},
        {"kind": "teachonce.bench-live", "methods": {}},
        {"kind": "teachonce.bench-live", "cases": [{"methods": {}}]},
        {"kind": "teachonce.bench-live", "cases": [1]},
        {"kind": "teachonce.bench-live", "methods": [1]},
        {"kind": "teachonce.bench-live", "cases": None},
        {"kind": "teachonce.bench-live", "cases": []},
        {"kind": "teachonce.bench-macs"},
        {"kind": "teachonce.estimate", "verdict": 1},
        {"kind": "teachonce.bench-step", "arms": 1},
        {"kind": "teachonce.bench-step", "arms": {"ce": 1}, "speedup": {}},
        {"kind": "teachonce.bench-embed"},
    ],
)
def test_a_benchmark_that_is_not_whole_is_named(tmp_path: Path, content: dict[str, Any]):
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(CorruptError, match=r"a\.json is not whole"):
        build_page([tmp_path / "a.json"])


def test_a_cache_that_never_pays_is_not_the_better_one(tmp_path: Path):
    for broken in ({"pays": "cached", "break_even_epochs": None}, {"pays": "both"}):
        live_json(tmp_path / "a.json", case({"kd": method_result(**broken)}))
        with pytest.raises(CorruptError):
            build_page([tmp_path / "a.json"])


def test_a_value_of_another_kind_is_told_in_words(tmp_path: Path):
    path = live_json(tmp_path / "a.json", case({"kd": {**method_result(), "speedup": None}}))
    with pytest.raises(CorruptError, match=r"is not whole: .*speedup"):
        build_page([path])


def test_a_benchmark_of_another_version_is_refused(tmp_path: Path):
    path = live_json(tmp_path / "a.json", {**case({"kd": method_result()}), "format": 2})
    with pytest.raises(InputError, match="expected format 1, got 2"):
        build_page([path])


@pytest.mark.parametrize(("file", "key"), [("result.json", "val_top1"), ("run.json", "settings")])
def test_a_run_that_is_not_whole_is_named(tmp_path: Path, file: str, key: str):
    make_run(tmp_path / "other")
    path = make_run(tmp_path / "torn") / file
    content = json.loads(path.read_text())
    del content[key]
    path.write_text(json.dumps(content))
    with pytest.raises(CorruptError, match=f"torn is not whole: '{key}' is missing"):
        build_page([tmp_path])


def test_a_place_that_is_named_twice_is_shown_once(tmp_path: Path):
    store, live = make_store(tmp_path / "s.zarr"), live_json(tmp_path / "a.json", case({"kd": method_result()}))
    again = tmp_path / "." / ".." / tmp_path.name
    found = gather([store.path, live, again / "s.zarr", again / "a.json"], store=store.path, events=SILENT)
    assert (len(found.stores), len(found.benches)) == (1, 1)
    other = live_json(tmp_path / "b.json", case({"cifd": method_result()}))
    assert [bench.path for bench in gather([other, live, again / "b.json"], store=None, events=SILENT).benches] == [
        other,
        live,
    ]


def test_nothing_and_places_that_are_not_there(tmp_path: Path):
    with pytest.raises(InputError, match="nothing was given"):
        build_page([])
    with pytest.raises(StoreMissingError, match="there is nothing at"):
        build_page([tmp_path / "nowhere"])
    with pytest.raises(StoreMissingError, match="no finished run"):
        build_page([tmp_path])
    make_run(tmp_path / "tune" / "trial-0000")
    with pytest.raises(StoreMissingError, match="no finished run"):
        build_page([tmp_path])


def test_a_store_alone_has_its_facts(tmp_path: Path):
    page = build_page([make_store(tmp_path / "s.zarr").path])
    assert page.pays == "open"
    assert "bench live" in page.verdict
    assert names(page)[0] == "store"


def test_the_benchmarks_of_single_parts(tmp_path: Path):
    step: dict[str, Any] = {"kind": "teachonce.bench-step", "method": "kd", "student": "cnn-2", "rounds": 3}
    step["arms"] = {"ce": {"step_ms": 12.5, "spread_ms": 1.5}}
    step["speedup"] = {"median": 4.0, "low": 3.5, "high": 4.5}
    (tmp_path / "a.json").write_text(json.dumps(step))
    page = build_page([tmp_path / "a.json"])
    assert names(page) == ["parts"]
    told, table = page.sections[0].blocks
    assert dict(told.pairs)["speedup"] == "4.000 (3.500 to 4.500)"
    assert table.rows == [("ce", "12.5", "1.5")]


def test_many_runs_of_unknown_cost_are_one_warning(tmp_path: Path):
    store, heard = make_store(tmp_path / "s.zarr"), Heard()
    make_run(tmp_path / "runs" / "ce", method="ce", store=store)
    for seed in range(3):
        make_run(tmp_path / "runs" / f"live-{seed}", source="live", seed=seed)
    build_page([tmp_path / "runs"], events=heard)
    (told,) = (warning for warning in heard.warnings if "without a store" in warning)
    assert told.startswith("3 runs (")

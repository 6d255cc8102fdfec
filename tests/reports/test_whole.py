"""A report of everything at once, as it is gathered, in the browser: with names that were meant to break it."""

from pathlib import Path
from typing import Any

import pytest
from bench_macs import bench_macs
from browserkit import opened
from pagekit import CJK, LONG, SCRIPT
from typer.testing import CliRunner

import teachonce
from teachonce.cli import app
from teachonce.records import write
from tests.plots.plotkit import WEIGHTS, add_rdm, make_store
from tests.reports.reportkit import case, live_json, make_run, method_result, note_stage_one

STUDENT = "vit:patch=4,width=256,layers=6,heads=8"
RESULTS = Path(__file__).parents[2] / "docs" / "results"
MEASURED = ("bench-step-cifd-cnn-2", "bench-embed-vit-b16", "bench-rdm-vit-b16")
ESTIMATE = ("estimate", "--teacher", "cnn-2", "--data", "digits", "--limit", "64", "--student", "cnn-2")
BRIEFLY = ("--batch-size", "16", "--seconds", "0.1", "--workers", "0", "--device", "cpu")
LABELS = (SCRIPT, CJK, LONG, "$x$ & <b>")


def said(path: Path, *words: str) -> Path:
    """The result of a command, as a file."""
    done = CliRunner().invoke(app, [*words, "--json"], prog_name="teachonce")
    assert done.exit_code == 0, done.stderr
    path.write_text(done.stdout)
    return path


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of four trainings, a store with RDMs, a sweep, and what the other commands that measure say."""
    folder = tmp_path_factory.mktemp("whole")
    store = make_store(folder / "s.zarr", names=LABELS)
    for weight in WEIGHTS[:2]:
        add_rdm(store, weight)
    note_stage_one(store, 6.0)
    for place, (method, source) in enumerate([("ce", "cached"), ("kd", "cached"), ("kd", "live"), ("cifd", "cached")]):
        for seed in range(2):
            make_run(
                folder / "runs" / f"{method}-{source}-{seed}",
                method=method,
                source=source,
                seed=seed,
                student=STUDENT,
                store=store,
                val_top1=0.9 + place / 100 + seed / 500,
                test_top1=0.89 + place / 100 + seed / 400,
                step_ms=30.0 if source == "live" else 9.0 + place,
                losses=[2.5 / (epoch + 1) + seed / 50 for epoch in range(10)],
                accuracies=[0.9 - 0.6 / (epoch + 1) + place / 100 + seed / 300 for epoch in range(10)],
            )
    methods = {"kd": method_result(), "clip-embed-kd": method_result(speedup=9.1, memory=11.0)}
    cases = [case(methods, batch_size=size, precision=kind) for size in (8, 256) for kind in ("float32", "bf16")]
    write(folder / "macs.json", bench_macs())
    told = [
        folder / "macs.json",
        said(folder / "estimate.json", *ESTIMATE, *BRIEFLY, "--store", str(folder / "new.zarr")),
        *(RESULTS / f"{name}_cpu_202611.json" for name in MEASURED),
    ]
    places = [folder / "runs", store.path, live_json(folder / "b.json", *cases), *told]
    out = folder / "report.html"
    teachonce.report(places, out=[out, folder / "report.md"], title=f"Everything, {SCRIPT}, {LONG}")
    return out


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
def test_the_page_is_as_it_should_be(browser: Any, written: Path, width: int, scheme: str):
    with opened(browser, written, width, scheme) as seen:
        assert seen.page.locator("figure").count() >= 7
        for place in ("training-cost", "estimate", "parts"):
            assert seen.page.locator(f"#{place}").count() == 1
        assert seen.page.locator("script, img").count() == 0
        assert seen.faults() == []


def test_the_same_is_in_the_markdown(written: Path):
    text = written.with_suffix(".md").read_text()
    folder = written.with_name("report-files")
    assert "<script" not in text
    assert text.count("![") == len(list(folder.glob("*.png"))) >= 6

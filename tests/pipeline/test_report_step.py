"""A recipe that ends with a report: written when everything else is done, reused while it tells what is there."""

from pathlib import Path

import pytest

from teachonce.console.runs import run_parts
from teachonce.errors import InputError, MismatchError, TeachonceError
from teachonce.pipeline.recipe import load_recipe
from teachonce.pipeline.run import RunResult
from teachonce.pipeline.steps import make_steps
from teachonce.pipeline.tune.variants import find_variants
from teachonce.pipeline.tune.write import write_tuned
from tests.pipeline.conftest import Written
from tests.pipeline.trusted import run

RECIPE = """
[data]
train = "parquet:train.parquet"
test = "parquet:test.parquet"
[teacher.train]
student = "tests.cli.made:tiny"
epochs = 1
batch_size = 32
[store]
path = "s.zarr"
block_rows = 64
batch_size = 32
[run]
workers = 0
device = "cpu"
[report]
out = ["report.html", "told/report.md"]
title = "What came of it"
[[train]]
student = "tests.cli.made:tiny"
method = ["ce", "kd"]
epochs = 1
batch_size = 32
"""


@pytest.fixture
def recipe(written: Written) -> Path:
    """A recipe whose steps run in this process."""
    return written(RECIPE)


def of_report(result: RunResult) -> tuple[str, str]:
    (found,) = [(step.action, step.reason) for step in result.steps if step.name == "report"]
    return found


def test_a_run_ends_with_its_report_and_reuses_it_while_it_is_right(recipe: Path):
    folder = recipe.parent
    planned = run(recipe, dry_run=True)
    assert of_report(planned) == ("run", "after the steps that it reports")
    assert planned.steps[-1].name == "report"
    assert not (folder / "report.html").exists()

    first = run(recipe)
    assert first.report is not None
    assert first.report["out"] == [str(folder / "report.html"), str(folder / "told" / "report.md")]
    assert first.report["title"] == "What came of it"
    html = (folder / "report.html").read_text()
    assert "<title>What came of it</title>" in html
    assert (folder / "told" / "report.md").read_text().startswith("# What came of it")
    assert str(run_parts(first)[-1]).startswith("report: ")

    before = (folder / "report.html").stat().st_mtime_ns
    again = run(recipe)
    assert of_report(again) == ("reuse", "written from the same results")
    assert again.report == first.report
    assert (folder / "report.html").stat().st_mtime_ns == before

    (folder / "report.html").unlink()
    assert of_report(run(recipe, dry_run=True))[0] == "run"
    assert of_report(run(recipe, jobs=2)) == ("run", "not written yet, or written from other results")
    assert (folder / "report.html").read_text() == html

    recipe.write_text(recipe.read_text().replace("What came of it", "Another title"))
    assert of_report(run(recipe, dry_run=True))[0] == "run"
    evaluation = folder / "r-runs" / "kd-tiny-s0" / "evaluation.json"
    recipe.write_text(recipe.read_text().replace("Another title", "What came of it"))
    assert of_report(run(recipe, dry_run=True))[0] == "reuse"
    evaluation.unlink()
    assert of_report(run(recipe)) == ("run", "after the steps that it reports")


def test_a_report_that_cannot_be_written_is_told_before_anything_runs(recipe: Path):
    (recipe.parent / "report.html").mkdir()
    with pytest.raises(InputError, match=r"report\.html is a folder"):
        run(recipe)
    assert not (recipe.parent / "r-runs").exists()


def test_a_failed_report_keeps_the_runs(recipe: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*places: object, **options: object) -> None:
        raise MismatchError("no report today")

    monkeypatch.setattr("teachonce.reports.make.report", refuse)
    with pytest.raises(TeachonceError, match="no report today"):
        run(recipe)
    monkeypatch.undo()
    planned = run(recipe, dry_run=True)
    assert {step.action for step in planned.steps[:-1]} == {"reuse"}
    assert of_report(planned)[0] == "run"


def test_the_step_has_what_the_recipe_gives(recipe: Path):
    step = make_steps(load_recipe(recipe))[-1]
    folder = recipe.parent
    runs = [str(folder / "r-runs" / name) for name in ("teacher", "ce-tiny-s0", "kd-tiny-s0")]
    outs = [str(folder / "report.html"), str(folder / "told" / "report.md")]
    assert step.options == {"places": runs, "out": outs, "store": str(folder / "s.zarr"), "title": "What came of it"}


def test_a_tuned_recipe_has_a_report_of_its_own(recipe: Path):
    loaded = load_recipe(recipe)
    write_tuned(recipe.with_name("t.toml"), loaded, [])
    text = recipe.with_name("t.toml").read_text()
    assert "report-tuned.html" in text
    assert "told/report-tuned.md" in text
    assert find_variants(loaded.trainings)

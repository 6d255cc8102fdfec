"""Who is better, and after how long: from benchmarks, and from trainings that were done both ways."""

import json
from pathlib import Path

import pytest

from teachonce.cache.store import Store
from teachonce.plots.figure import style
from teachonce.reports.build import build_page
from teachonce.reports.html import render_html
from teachonce.reports.page import Figure
from tests.plots.plotkit import make_store
from tests.reports.reportkit import (
    arm,
    case,
    facts,
    live_json,
    make_run,
    method_result,
    names,
    note_stage_one,
    section,
    tables,
    texts,
)

RDMS = {"names": "rdm-1,rdm-10", "rdm-1": {"target": "0" * 32}, "rdm-10": {"target": "1" * 32}}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path / "s.zarr")


def both(
    folder: Path, store: Store | None, *, cached: float | None, live: float, seed: int = 0, **more: object
) -> None:
    """A training done both ways; an epoch takes a tenth of so many seconds."""
    make_run(folder / f"cached-{seed}", store=store, seed=seed, step_ms=cached, seconds=cached or 1.0, **more)
    make_run(folder / f"live-{seed}", store=store, seed=seed, source="live", step_ms=live, seconds=live, **more)


def test_the_cache_pays(tmp_path: Path, store: Store):
    note_stage_one(store, 6.0)
    both(tmp_path / "runs", store, cached=10.0, live=30.0)
    page = build_page([tmp_path / "runs"])
    assert page.pays == "cached"
    # an epoch takes 1 s and 3 s: 6 s of stage one are saved in 3 epochs of the 10
    assert page.verdict == (
        "From the cache a step takes 3 times less time; break-even after 3 of a student's 10 epochs."
    )
    assert [tile.value for tile in page.tiles[:2]] == ["3x", "3 epochs"]
    assert names(page)[:2] == ["arms", "break-even"]


def test_the_live_teacher_is_better_and_it_says_so_first(tmp_path: Path, store: Store):
    note_stage_one(store, 100.0)
    both(tmp_path / "runs", store, cached=10.0, live=15.0)
    page = build_page([tmp_path / "runs"])
    assert page.pays == "live"
    assert page.verdict.startswith("The live teacher is better here")
    assert "only after 200 epochs; a student is trained for 10" in page.verdict
    note_stage_one(store, 1.0)
    both(tmp_path / "slow", store, cached=20.0, live=10.0)
    slow = build_page([tmp_path / "slow"])
    assert slow.pays == "live"
    assert "2 times as long, and there is no break-even" in slow.verdict
    (line,) = section(slow, "break-even").blocks
    assert "never" in line.caption


@pytest.mark.parametrize(
    ("steps", "epochs", "told"),
    [
        ((10.0, 15.0), (2.0, 1.5), "1.5 times less time, and there is no break-even"),
        ((15.0, 10.0), (1.0, 1.5), "1.5 times as long, and break-even is only after 200 epochs"),
    ],
)
def test_a_step_and_an_epoch_may_differ(
    tmp_path: Path, store: Store, steps: tuple[float, float], epochs: tuple[float, float], told: str
):
    note_stage_one(store, 100.0)
    for source, step, epoch in zip(("cached", "live"), steps, epochs, strict=True):
        folder = tmp_path / "runs" / source
        make_run(folder, store=store, source=source, step_ms=step, seconds=10 * epoch)
    page = build_page([tmp_path / "runs"])
    assert page.pays == "live"
    assert told in page.verdict


def test_interrupted_runs_of_stage_one_count(tmp_path: Path, store: Store):
    note_stage_one(store, 50.0)  # of a target that was removed since
    note_stage_one(store, 4.0, outcome="interrupted")
    note_stage_one(store, 2.0)
    both(tmp_path / "runs", store, cached=10.0, live=30.0)
    assert "break-even after 3 of" in build_page([tmp_path / "runs"]).verdict


def test_rdms_that_were_trained_together_are_charged_once(tmp_path: Path, store: Store):
    note_stage_one(store, 6.0)
    rdms = {"store": {"samples": store.samples_seal["journal"], "rdm": RDMS}}
    both(tmp_path / "runs", store, cached=10.0, live=30.0, method="cifd", settings=rdms)
    assert "not recorded" in build_page([tmp_path / "runs"]).verdict
    note_stage_one(store, 7.0, target=None, targets=["rdm-1"])  # removed since
    note_stage_one(store, 14.0, target=None, targets=["rdm-1", "rdm-10"])
    assert "break-even after 10 of a student's 10 epochs" in build_page([tmp_path / "runs"]).verdict


def test_without_a_record_of_stage_one_it_says_so(tmp_path: Path, store: Store):
    both(tmp_path / "runs", store, cached=10.0, live=30.0)
    page = build_page([tmp_path / "runs"])
    assert page.pays == "open"
    assert "the time of stage one was not recorded, so the break-even is unknown." in page.verdict
    assert "break-even" not in names(page)


def test_seeds_give_a_median_and_epochs_a_spread(tmp_path: Path, store: Store):
    note_stage_one(store, 6.0)
    for seed, live in enumerate((20.0, 30.0, 70.0)):
        lines = {"losses": [1.0], "accuracies": [0.5]}
        both(tmp_path / "runs", store, cached=10.0, live=live, seed=seed, **lines)
    page = build_page([tmp_path / "runs"])
    assert page.tiles[0].value == "3x"
    assert page.tiles[0].note.startswith("2.5 to 5")  # quartiles of 20, 30, 70 over 10
    (table,) = tables(section(page, "arms").blocks)
    assert table.rows[1][:4] == ("live teacher", "3", "30", "25 - 50")
    assert table.rows[1][-1] == "50.00 % (validation)"


@pytest.mark.parametrize(("then", "is_told"), [(6.7, True), (20.9, False)])
def test_memory_of_few_rows_is_told_of_beside_its_bars(tmp_path: Path, then: float, is_told: bool):
    methods = {"kd": method_result(memory=20.9, memory_ratio_at_epoch=then)}
    (bars, *_) = section(build_page([live_json(tmp_path / "live.json", case(methods))]), "arms").blocks
    assert ("is 21 between steps, and 6.7 with an epoch's" in bars.caption) == is_told


@pytest.mark.parametrize(
    ("data", "told"), [("test", ["60.00 % (test)"] * 2), ("another", ["50.00 % (validation)"] * 2)]
)
def test_both_ways_are_compared_on_the_same_data(tmp_path: Path, store: Store, data: str, told: list[str]):
    make_run(tmp_path / "runs" / "cached", store=store, test_top1=0.6)
    make_run(tmp_path / "runs" / "live", store=store, source="live", test_top1=0.6, test_data=data)
    (table,) = tables(section(build_page([tmp_path / "runs"]), "arms").blocks)
    assert [row[-1] for row in table.rows] == told


def test_the_first_epoch_warms_up_and_is_in_no_spread(tmp_path: Path, store: Store):
    note_stage_one(store, 6.0)
    both(tmp_path / "runs", store, cached=10.0, live=30.0, losses=[1.0] * 3, accuracies=[0.5] * 3)
    for path in tmp_path.rglob("metrics.jsonl"):
        path.write_text(path.read_text().replace('"step_ms"', '"ms"', 1).replace('"ms": ', '"step_ms": 9'))
    assert build_page([tmp_path / "runs"]).tiles[0].note.startswith("3 to 3")


def test_a_training_whose_steps_were_not_timed_is_not_compared(tmp_path: Path, store: Store):
    both(tmp_path / "runs", store, cached=None, live=30.0)
    assert "Nothing to compare" in build_page([tmp_path / "runs"]).verdict


def test_no_difference_beyond_the_spread(tmp_path: Path, store: Store):
    note_stage_one(store, 6.0)
    for seed, (cached, live) in enumerate(((10.0, 12.0), (14.0, 13.0), (9.0, 9.5))):
        both(tmp_path / "runs", store, cached=cached, live=live, seed=seed, losses=[1.0], accuracies=[0.5])
    page = build_page([tmp_path / "runs"])
    assert page.pays == "open"
    assert page.verdict.startswith("No clear difference")


@pytest.mark.parametrize(
    "differs",
    [
        {"weights": "another"},
        {"device": "cuda"},
        {"seed": 5},
        {"settings": {"lr": 2e-3}},
        {"epochs": 20},
        {"student": "cnn-4"},
        {"views": 2},
        {"method": "clip-teacher-kd"},
    ],
)
def test_what_differs_in_more_than_the_source_is_not_compared(tmp_path: Path, store: Store, differs: dict[str, object]):
    make_run(tmp_path / "runs" / "cached", store=store)
    make_run(tmp_path / "runs" / "live", store=store, source="live", **differs)
    page = build_page([tmp_path / "runs"])
    assert page.pays == "open"
    assert "Nothing to compare" in page.verdict


def test_a_benchmark_has_the_word_before_trainings(tmp_path: Path, store: Store):
    note_stage_one(store, 6.0)
    both(tmp_path / "runs", store, cached=10.0, live=30.0)
    bench = live_json(tmp_path / "live.json", case({"kd": method_result()}))
    page = build_page([tmp_path / "runs", bench])
    assert page.verdict == "The verdict of the benchmark."
    assert [tile.value for tile in page.tiles[:3]] == ["4x", "2x", "2 epochs"]
    assert page.tiles[0].note == "3.6 to 4.4, kd"
    table, ratios = tables(section(page, "arms").blocks)
    assert ratios.columns == ("", "kd")
    assert ("cached/constant, time", "1.020") in ratios.rows
    assert [row[0] for row in table.rows] == ["no teacher", "constant targets", "cached", "live teacher"]
    cells = dict(zip(table.columns, table.rows[3], strict=True))
    assert (cells["ms per step"], cells["between steps"], cells["peak"]) == ("40", "200 MB", "400 MB")
    assert cells["backward, ms"] == "20"
    assert "teacher, ms" not in cells  # no arm has any


def test_tiles_say_which_way(tmp_path: Path):
    worse = method_result(speedup=0.5, memory=0.25, pays="live")
    page = build_page([live_json(tmp_path / "a.json", case({"kd": worse, "cifd": method_result()}))])
    found = [(tile.value, tile.label) for tile in page.tiles[:2]]
    assert found == [("2x", "slower step from the cache"), ("4x", "more memory between steps")]
    assert page.tiles[1].note == "kd; the first of 2 compared"
    same = method_result(speedup=1.02, memory=0.98)
    page = build_page([live_json(tmp_path / "a.json", case({"kd": same}))])
    assert {tile.value for tile in page.tiles[:2]} == {"same"}


def test_a_case_in_two_files_is_one(tmp_path: Path):
    one, other = case({"kd": method_result()}), case({"kd": method_result(speedup=9.0)}, batch_size=8)
    files = [live_json(tmp_path / "both.json", one, other), live_json(tmp_path / "half.json", one)]
    assert "the first of 2 compared" in build_page(files).tiles[0].note


def test_live_is_better_for_one_of_two_methods(tmp_path: Path):
    methods = {"kd": method_result(), "cifd": method_result(speedup=1.2, pays="live")}
    page = build_page([live_json(tmp_path / "live.json", case(methods))])
    assert page.verdict == (
        "The live teacher is better for cifd; otherwise a step from the cache takes 4 times less time and 2 times less "
        "memory between steps, with break-even after 2 of a student's 200 epochs."
    )
    assert page.pays == "mixed"
    assert "It depends" in render_html(page).decode()
    assert page.warnings == ()
    slow = {"live_check": {"ratio": 1.3, "limit": 1.1, "within": False}}
    page = build_page([live_json(tmp_path / "live.json", case({**methods, "kd": method_result(**slow)}))])
    assert page.verdict.count(". ") == 0
    why = "which overestimates the speed-up of the cache"
    assert page.warnings == (f"The live arm was slower than its parts for kd, {why}.",)
    losers = {name: method_result(speedup=1.2, pays="live") for name in ("kd", "cifd")}
    page = build_page([live_json(tmp_path / "live.json", case(losers))])
    assert page.pays == "live"
    assert "300 epochs" in page.verdict


def test_a_sweep_says_where_the_papers_figures_hold(tmp_path: Path):
    cases = [
        case({"clip-embed-kd": method_result(speedup=speed, memory=memory)}, batch_size=size)
        for size, speed, memory in ((8, 9.0, 12.0), (64, 8.5, 5.0), (256, 2.0, 1.5))
    ]
    page = build_page([live_json(tmp_path / "live.json", *cases)])
    assert "2 to 9 times less time and 1.5 to 12 times less memory between steps" in page.verdict
    found = section(page, "sweep")
    told = texts(found.blocks)
    assert "9 times less memory between steps holds at 1 of 3 settings (batch 8)" in told
    assert "8 times less time at 2 of 3 settings" in told
    assert [row[1] for row in tables(found.blocks)[0].rows] == ["9x", "8.5x", "2x"]


def test_of_many_settings_a_table_says_where_the_papers_figures_hold(tmp_path: Path):
    ratios = ((9.0, 12.0), (8.5, 9.5), (8.0, 5.0), (7.9, 9.0), (2.0, 9.1))
    cases = [
        case({"clip-embed-kd": method_result(speedup=speed, memory=memory)}, batch_size=size)
        for size, (speed, memory) in enumerate(ratios, 1)
    ]
    blocks = section(build_page([live_json(tmp_path / "live.json", *cases)]), "sweep").blocks
    assert "9 times less memory between steps holds at 4 of 5 settings, with" in texts(blocks)
    assert "8 times less time at 3 of 5 settings (batch 1; batch 2; batch 3)." in texts(blocks)
    table = tables(blocks)[-1]
    holds = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert [holds[f"batch {size}"]["memory"] for size in range(1, 6)] == ["yes", "yes", "-", "yes", "yes"]
    assert [holds[f"batch {size}"]["time"] for size in range(1, 6)] == ["yes", "yes", "yes", "-", "-"]


@pytest.mark.parametrize(
    ("low", "high", "told"), [(3.77, 3.84, "3.77 to 3.84,"), (3.7, 3.9, "3.7 to 3.9,"), (3.8, 3.8, "3.8 to 3.8,")]
)
def test_the_ends_of_a_spread_are_told_apart(tmp_path: Path, low: float, high: float, told: str):
    found = method_result(speedup=3.8)
    found["spread"] = {**found["spread"], "speedup": [low, high]}
    page = build_page([live_json(tmp_path / "live.json", case({"kd": found}))])
    assert page.tiles[0].note.startswith(told)


def test_ratios_of_many_settings_stand_below_each_other(tmp_path: Path):
    cases = [case({"kd": method_result()}, batch_size=size) for size in range(1, 6)]
    *_, ratios = tables(section(build_page([live_json(tmp_path / "live.json", *cases)]), "arms").blocks)
    assert [row[0] for row in ratios.rows] == [f"kd, batch {size}" for size in range(1, 6)]
    assert dict(zip(ratios.columns, ratios.rows[0], strict=True))["cached/constant, time"] == "1.020"


def test_one_round_of_one_step_is_no_plural(tmp_path: Path):
    bench = live_json(tmp_path / "live.json", case({"kd": method_result()}, rounds=2, steps=1, epochs=1))
    page = build_page([bench])
    assert "2 rounds of 1 step;" in section(page, "arms").lead
    (figure,) = section(page, "break-even").blocks
    assert "1 epoch from the cache" in {row[0] for row in figure.table.rows}


def test_benchmarks_of_different_lengths_are_not_told_as_the_first(tmp_path: Path):
    found = {"kd": method_result()}
    short = live_json(tmp_path / "short.json", case(found, batch_size=8, rounds=1, steps=2, starts=1))
    whole = live_json(tmp_path / "whole.json", case(found, batch_size=64, rounds=9, steps=2, starts=3, device="GPU X"))
    lead = section(build_page([short, whole]), "arms").lead
    assert lead.startswith("Measured on cpu and GPU X: medians and quartiles of 1 to 9 rounds of 2 steps;")
    assert lead.endswith("all were started 1 to 3 times.")
    lead = section(build_page([whole]), "arms").lead
    assert lead.startswith("Measured on GPU X: medians and quartiles of 9 rounds of 2 steps;")
    assert lead.endswith("all were started 3 times.")


def test_claims_are_about_the_papers_methods_only(tmp_path: Path):
    cases = [case({"kd": method_result()}, batch_size=size) for size in (8, 64)]
    found = section(build_page([live_json(tmp_path / "live.json", *cases)]), "sweep")
    assert not texts(found.blocks)


def test_a_live_arm_that_is_too_slow_is_told(tmp_path: Path):
    slow = method_result(live_check={"ratio": 1.3, "limit": 1.1, "within": False})
    blocks = section(build_page([live_json(tmp_path / "a.json", case({"kd": slow}))]), "arms").blocks
    assert any(getattr(block, "warns", False) for block in blocks)
    assert "1.30 times" in texts(blocks)
    assert "more than 1.10" in texts(blocks)


def test_a_live_arm_that_is_too_fast_is_told(tmp_path: Path):
    fast = method_result(live_check={"ratio": 0.7, "limit": 1.1, "within": False})
    page = build_page([live_json(tmp_path / "a.json", case({"kd": fast}))])
    (warning,) = page.warnings
    assert warning.startswith("The live arm was faster than its teacher and the student's step for kd, which is")
    told = texts(section(page, "arms").blocks)
    assert "0.70 times" in told
    assert "which is impossible" in told
    assert "more than" not in told


def test_every_figure_can_be_drawn_at_both_widths(tmp_path: Path, store: Store):
    note_stage_one(store, 6.0)
    both(tmp_path / "runs", store, cached=10.0, live=30.0, losses=[2.0, 0.05], accuracies=[0.1, 0.6])
    gpu = method_result(arms={"cached": arm(1.0, 10**6, energy_j=0.25), "live": arm(2.0, 10**6)})
    cases = [case({"clip-embed-kd": gpu}, batch_size=size) for size in (8, 64)]
    for places in ([tmp_path / "runs"], [live_json(tmp_path / "live.json", *cases)]):
        page = build_page(places)
        figures = [block for one in page.sections for block in one.blocks if isinstance(block, Figure)]
        assert len({figure.name for figure in figures}) == len(figures) > 2
        for figure in figures:
            for width in (3.4, 7.5):
                with style():
                    assert figure.draw(width).get_figwidth() == pytest.approx(width)


@pytest.mark.parametrize("pays", ["cached", "live"])
def test_an_estimate_speaks_where_nothing_was_measured(tmp_path: Path, store: Store, pays: str):
    student = {"student": "cnn-2", "method": "kd", "epochs": 10, "cached_step_ms": 10.0, "live_step_ms": 20.0}
    student |= {"live_method": None, "batch_size": 64, "cached_epoch_s": 2.0, "live_epoch_s": 4.0, "speedup": 2.0}
    one = {"views": 1, "dtype": "float16", "store_bytes": 10**6, "seconds": 60.0, "limit": "teacher"}
    told = {
        "kind": "teachonce.estimate",
        "verdict": "A sentence.",
        "teacher": "cnn-10",
        "rows": 1000,
        "samples_per_s": 20.0,
        "peak_memory_bytes": None,
        "host_memory_bytes": 10**8,
        "device": "cpu",
        "data": {},
        "compute_dtype": "float32",
        "alone_samples_per_s": {},
        "warnings": [],
        "hours": 1 / 60,
        **dict.fromkeys(("threads", "rows_left", "batch_size", "block_rows", "free_bytes", "probe_rows"), 1000),
        "bytes_per_sample": 1e3,
        "table": [one],
        "student": {**student, "break_even_epochs": 3.0, "pays": pays},
        **one,
    }
    path = tmp_path / "estimate.json"
    path.write_text(json.dumps(told))
    page = build_page([path])
    assert (page.verdict, page.pays) == ("Estimated: A sentence.", pays)
    known = facts(section(page, "estimate").blocks)
    assert known["stage one"] == "1:00 min, 20 rows/s"
    assert known["break-even"] == "3 epochs"
    note_stage_one(store, 6.0)
    both(tmp_path / "runs", store, cached=10.0, live=30.0)
    assert build_page([path, tmp_path / "runs"]).verdict.startswith("From the cache")
    path.write_text(json.dumps(told | {"student": None}))
    assert build_page([path]).pays == "open"

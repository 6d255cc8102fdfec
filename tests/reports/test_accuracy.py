"""The accuracy tables: spread over seeds, what it allows to say, and which data it is of."""

import json
from pathlib import Path

import numpy as np
import pytest

from teachonce.engine.stage_one.score import teacher_top1
from teachonce.errors import CorruptError
from teachonce.events import SILENT
from teachonce.intervals import packed, paired_difference, unpacked, wilson
from teachonce.reports.accuracy import accuracy_section
from teachonce.reports.build import build_page
from teachonce.reports.gather import gather
from teachonce.reports.live import arms_section
from teachonce.reports.scores import INTERVAL
from teachonce.texts import points_text, range_text, share_text
from tests.plots.plotkit import make_store
from tests.reports.reportkit import make_run, section, tables, texts


def seeds(folder: Path, method: str, values: list[float], *, test: bool = True, **more: object) -> None:
    for seed, value in enumerate(values):
        options = {"test_top1": value, "val_top1": 0.1} if test else {"val_top1": value}
        make_run(folder / f"{method}-{seed}", method=method, seed=seed, **options, **more)


def test_mean_spread_and_range(tmp_path: Path):
    seeds(tmp_path, "kd", [0.60, 0.62, 0.64])
    seeds(tmp_path, "ce", [0.50, 0.51, 0.52])
    (table,) = tables(section(build_page([tmp_path]), "accuracy").blocks)
    first = dict(zip(table.columns, table.rows[0], strict=True))
    assert first["method"] == "kd"
    assert first["test top-1"] == "62.00 %"
    assert first["sd, points"] == "2.00"  # n - 1: the squares .02**2 twice, over 2
    assert first["range"] == "60.00 - 64.00 %"
    assert first["validation top-1"] == "10.00 %"
    assert (first["seeds"], first["epochs"], first["ms per step"]) == ("3", "10", "10")
    assert table.rows[1][:2] == ("ce", "-")


def test_the_best_is_marked_only_beyond_the_spread(tmp_path: Path):
    seeds(tmp_path / "apart", "kd", [0.60, 0.62, 0.64])
    seeds(tmp_path / "apart", "ce", [0.50, 0.51, 0.52])
    apart = section(build_page([tmp_path / "apart"]), "accuracy")
    assert tables(apart.blocks)[0].strong == (0,)
    assert "kd is best, by more than the spread" in texts(apart.blocks)
    seeds(tmp_path / "near", "kd", [0.60, 0.62, 0.64])
    seeds(tmp_path / "near", "ce", [0.605, 0.61, 0.615])
    near = section(build_page([tmp_path / "near"]), "accuracy")
    assert tables(near.blocks)[0].strong == ()
    assert "No clear best: kd is first, but ce is within the spread" in texts(near.blocks)


def test_one_noisy_rival_is_enough_to_have_no_best(tmp_path: Path):
    seeds(tmp_path, "kd", [0.60, 0.601])
    seeds(tmp_path, "ce", [0.50, 0.501])
    seeds(tmp_path, "clip-teacher-kd", [0.35, 0.75])
    blocks = section(build_page([tmp_path]), "accuracy").blocks
    assert tables(blocks)[0].strong == ()
    assert "clip-teacher-kd is within" in texts(blocks)


def test_one_seed_is_said_to_be_chance(tmp_path: Path):
    seeds(tmp_path, "kd", [0.9])
    seeds(tmp_path, "ce", [0.1])
    blocks = section(build_page([tmp_path]), "accuracy").blocks
    assert tables(blocks)[0].strong == ()
    assert "Each has one seed only" in texts(blocks)
    seeds(tmp_path / "more", "clip-teacher-kd", [0.2, 0.3])
    assert "Some have one seed only" in texts(section(build_page([tmp_path]), "accuracy").blocks)


def test_ranked_in_validation_where_one_was_not_evaluated(tmp_path: Path):
    seeds(tmp_path, "kd", [0.6, 0.62])
    seeds(tmp_path, "ce", [0.7, 0.71], test=False)
    page = build_page([tmp_path])
    (table,) = tables(section(page, "accuracy").blocks)
    assert [row[0] for row in table.rows] == ["ce", "kd"]  # by validation: kd has 0.1 there
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [row["validation top-1"] for row in rows] == ["70.50 %", "10.00 %"]
    assert [row["test top-1"] for row in rows] == ["-", "61.00 %"]
    assert table.columns.index("validation top-1") + 1 == table.columns.index("sd, points")  # the spread is of these
    assert "not all runs were evaluated on the same test data" in texts(section(page, "accuracy").blocks)
    (tile,) = page.tiles
    assert (tile.value, tile.label) == ("70.50 %", "best validation top-1")


def test_other_test_data_do_not_compare(tmp_path: Path):
    seeds(tmp_path, "kd", [0.6, 0.62], test_data="the first hundred")
    seeds(tmp_path, "ce", [0.5, 0.51])
    make_run(tmp_path / "ce-2", method="ce", seed=2, test_top1=0.5, val_top1=0.4)
    page = build_page([tmp_path])
    (table,) = tables(section(page, "accuracy").blocks)
    assert [row[0] for row in table.rows] == ["ce", "kd"]  # by validation: 0.1 but for one of ce
    assert "not all runs were evaluated on the same test data" in texts(section(page, "accuracy").blocks)
    assert page.tiles[0].label == "best validation top-1"
    assert "test top-1" not in table.columns


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1}', '{"of": {"weights": "x"}, "result": {"top1": 0.5}}'])
def test_an_evaluation_that_cannot_be_read_is_refused(tmp_path: Path, content: str):
    seeds(tmp_path, "kd", [0.6])
    (tmp_path / "kd-0" / "evaluation.json").write_text(content)
    with pytest.raises(CorruptError):
        build_page([tmp_path])


def test_an_accuracy_that_no_run_has_is_no_column(tmp_path: Path):
    seeds(tmp_path, "kd", [0.6, 0.62], test=False)
    (table,) = tables(section(build_page([tmp_path]), "accuracy").blocks)
    assert "test top-1" not in table.columns
    assert "sd, points" in table.columns


def test_one_seed_has_no_columns_of_its_spread(tmp_path: Path):
    seeds(tmp_path, "kd", [0.6])
    (table,) = tables(section(build_page([tmp_path]), "accuracy").blocks)
    assert not {"sd, points", "range"} & set(table.columns)
    assert len(table.rows[0]) == len(table.columns)


def test_a_table_for_each_student(tmp_path: Path):
    seeds(tmp_path, "kd", [0.6, 0.62])
    seeds(tmp_path / "large", "ce", [0.9], student="cnn-8")
    found = tables(section(build_page([tmp_path]), "accuracy").blocks)
    assert [table.caption for table in found] == ["Student cnn-2", "Student cnn-8"]


@pytest.mark.parametrize("searched", [False, True])
def test_trials_of_a_search_are_in_no_table(tmp_path: Path, searched: bool):
    seeds(tmp_path, "kd", [0.6, 0.62], losses=[1.0], accuracies=[0.5])
    if searched:
        make_run(tmp_path / "tune" / "kd-0123abcd" / "trial-0003", val_top1=0.99, settings={"lr": 7e-3})
        (make_run(tmp_path / "tune" / "kd-0123abcd" / "trial-0004") / "result.json").unlink()
    page = build_page([tmp_path])
    blocks = section(page, "accuracy").blocks
    assert [row[2] for row in tables(blocks)[0].rows] == ["2"]
    assert ("searched for with 2 trials" in texts(blocks)) == searched
    assert ("No hyperparameter search" in texts(blocks)) != searched
    assert page.warnings == ()  # an unfinished trial is no news


def test_one_seed_has_the_interval_of_its_images(tmp_path: Path):
    rng = np.random.default_rng(3)
    one, two = (rng.random(360) < share for share in (0.95, 0.94))
    make_run(tmp_path / "kd", right=one.tolist())
    make_run(tmp_path / "ce", method="ce", right=two.tolist())
    seeds(tmp_path / "many", "clip-teacher-kd", [0.5, 0.6])
    blocks = section(build_page([tmp_path / "kd", tmp_path / "ce"]), "accuracy").blocks
    (table,) = tables(blocks)
    shown = {row[0]: dict(zip(table.columns, row, strict=True))[INTERVAL] for row in table.rows}
    assert shown == {"kd": range_text(*wilson(one.sum(), 360)), "ce": range_text(*wilson(two.sum(), 360))}
    apart = paired_difference(*(unpacked(packed(each.tolist()), 360) for each in (one, two)), 360)
    assert points_text(abs(apart.value)) in texts(blocks)
    (table,) = tables(section(build_page([tmp_path]), "accuracy").blocks)
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert rows["clip-teacher-kd"][INTERVAL] == "-" != rows["clip-teacher-kd"]["sd, points"]
    assert rows["kd"]["sd, points"] == "-" != rows["kd"][INTERVAL]


def test_nobody_is_ahead_where_both_are_as_good(tmp_path: Path):
    for method in ("kd", "ce"):
        make_run(tmp_path / method, method=method, right=[True] * 20)
    told = texts(section(build_page([tmp_path]), "accuracy").blocks)
    assert "ahead" not in told
    assert points_text(0.0) in told


@pytest.mark.parametrize("change", [{"rows": 359}, {"correct": "zz"}, {"rows": None}, {"top1": 0.1}])
def test_bits_that_are_not_of_the_accuracy_are_refused(tmp_path: Path, change: dict[str, object]):
    make_run(tmp_path / "kd", right=[True, False] * 180)
    place = tmp_path / "kd" / "evaluation.json"
    kept = json.loads(place.read_text())
    kept["result"] |= change
    place.write_text(json.dumps(kept))
    with pytest.raises(CorruptError):
        build_page([tmp_path])


def test_cached_and_live_are_compared_image_by_image(tmp_path: Path):
    rng = np.random.default_rng(4)
    one = rng.random(360) < 0.95
    two = one ^ (rng.random(360) < 0.03)
    store = make_store(tmp_path / "s.zarr")
    make_run(tmp_path / "runs" / "kd", store=store, right=one.tolist())
    make_run(tmp_path / "runs" / "live", right=two.tolist(), source="live", store=store)
    arms = arms_section(gather([tmp_path / "runs"], store=None, events=SILENT))
    assert arms is not None
    told = texts(arms.blocks)
    apart = paired_difference(*(unpacked(packed(each.tolist()), 360) for each in (one, two)), 360)
    assert all(points_text(value) in told for value in (apart.value, apart.high))
    assert "the same 360 images" in told


def test_a_teacher_that_no_run_trained_is_told_on_the_rows_of_its_store(tmp_path: Path):
    store = make_store(tmp_path / "s.zarr")
    make_run(tmp_path / "runs" / "kd", store=store)
    share, rows = teacher_top1(store, "teacher", store.labels())
    accuracy = accuracy_section(gather([tmp_path / "runs"], store=None, events=SILENT))
    assert accuracy is not None
    told = texts(accuracy.blocks)
    assert f"{share_text(share)} top-1 on the {rows} labelled rows of s.zarr" in told

"""Training curves: their means over seeds, which students have a figure, and how they are drawn."""

from pathlib import Path

import numpy as np
import pytest

from teachonce.errors import CorruptError
from teachonce.plots.curves import Curve, Line, training_curves
from teachonce.plots.draw.curves import draw_curves
from teachonce.plots.figure import COLOURS
from teachonce.plots.groups import grouped
from teachonce.plots.runs import read_runs
from teachonce.reports.build import build_page
from teachonce.reports.page import Table
from tests.reports.reportkit import make_run, names, section
from tests.stages.trainkit import Heard


def curves_of(folder: Path) -> list[Curve]:
    return training_curves(grouped(read_runs([folder], Heard())))


def test_mean_and_range_over_seeds(tmp_path: Path):
    make_run(tmp_path / "a", seed=0, losses=[3.0, 2.0, 1.0], accuracies=[0.1, 0.5, 0.7])
    make_run(tmp_path / "b", seed=1, losses=[5.0, 4.0], accuracies=[0.3, 0.6])  # of fewer epochs
    (curve,) = curves_of(tmp_path)
    assert (curve.seeds, curve.epochs.tolist()) == (2, [1, 2])
    np.testing.assert_allclose(curve.val_top1.mean, [0.2, 0.55])
    np.testing.assert_allclose((curve.loss.low, curve.loss.high), ([3, 2], [5, 4]))


def test_without_validation_there_is_a_loss(tmp_path: Path):
    make_run(tmp_path / "a", losses=[3.0, 2.0], accuracies=[None, None])
    (curve,) = curves_of(tmp_path)
    assert np.isnan(curve.val_top1.mean).all()
    (figure,) = section(build_page([tmp_path]), "curves").blocks
    assert figure.table.rows[0][3:] == ("-", "-", "-", "2")
    assert not figure.draw(7.5).axes[0].lines


def test_an_epoch_that_was_written_twice_counts_once(tmp_path: Path):
    run = make_run(tmp_path / "a", losses=[3.0, 2.0], accuracies=[0.1, 0.2])
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 2, "loss": 1.5, "val_top1": 0.4}\n')
    (curve,) = curves_of(tmp_path)
    assert curve.loss.mean.tolist() == [3.0, 1.5]


def test_lines_that_cannot_be_read(tmp_path: Path):
    run = make_run(tmp_path / "a", losses=[3.0], accuracies=[0.1])
    (run / "metrics.jsonl").write_text("{")
    with pytest.raises(CorruptError, match=r"metrics\.jsonl cannot be read"):
        curves_of(tmp_path)


def test_students_that_were_trained_in_two_ways_have_a_figure(tmp_path: Path):
    told = {"losses": [3.0, 2.0], "accuracies": [0.1, 0.5]}
    for method in ("ce", "kd"):
        make_run(tmp_path / method, method=method, **told)
    make_run(tmp_path / "teacher", method="ce", student="cnn-10", **told)
    found = section(build_page([tmp_path]), "curves")
    assert [block.title for block in found.blocks] == ["Training of cnn-2"]
    assert "cnn-10" in found.lead
    assert "50.00 %" in found.blocks[0].alt
    (alone,) = section(build_page([tmp_path / "teacher"]), "curves").blocks
    assert alone.title == "Training of cnn-10"


def test_runs_without_metrics_have_no_curves(tmp_path: Path):
    run = make_run(tmp_path / "a")
    for leave in (lambda path: path.write_text("\n\n"), lambda path: path.unlink()):
        leave(run / "metrics.jsonl")
        page = build_page([tmp_path])
        assert "curves" not in names(page)
        assert any("has no epochs in a metrics.jsonl: its curves are left out" in told for told in page.warnings)


def curve(label: str, *, is_live: bool = False, seeds: int = 1) -> Curve:
    top1, loss = (Line(mean=np.full(3, v), low=np.full(3, v - 0.1), high=np.full(3, v + 0.1)) for v in (0.5, 2.0))
    return Curve(label=label, is_live=is_live, seeds=seeds, epochs=np.arange(1, 4), val_top1=top1, loss=loss)


def test_a_live_teacher_has_the_colour_of_its_cached_rival():
    drawn = draw_curves([curve("ce"), curve("kd"), curve("kd, live", is_live=True)], 7.5).axes[0].lines
    assert [line.get_color() for line in drawn] == [COLOURS[0], COLOURS[1], COLOURS[1]]
    assert [line.is_dashed() for line in drawn] == [False, False, True]


def test_more_lines_than_colours_are_told_apart():
    drawn = draw_curves([curve(f"m{place}") for place in range(25)], 7.5).axes[0].lines
    assert len({(line.get_color(), str(line.get_linestyle()), str(line._dash_pattern)) for line in drawn}) == 25


@pytest.mark.parametrize("width", [3.4, 7.5])
def test_panels_stand_beside_each_other_where_there_is_room(width: float):
    figure = draw_curves([curve("kd", seeds=3), curve("ce")], width)
    figure.draw_without_rendering()
    first, second = (axes.get_window_extent() for axes in figure.axes)
    assert (first.x1 < second.x0) == (width > 5)
    assert (first.y0 > second.y1) == (width < 5)
    assert len(figure.axes[0].collections) == 1  # a band, of several seeds only
    for axes in figure.axes:
        assert axes.get_tightbbox().x0 >= 0
        assert axes.get_tightbbox().x1 <= figure.bbox.width


def test_terms_are_told_in_the_first_and_in_the_last_epoch(tmp_path: Path):
    for seed, shift in enumerate((0.0, 2.0)):
        terms = {"ce": [3.0 + shift, 2.0, 1.0], "kd": [8.0, 4.0, 0.5 + shift]}
        make_run(tmp_path / f"kd-{seed}", seed=seed, losses=[9.0, 5.0, 2.0], accuracies=[0.1, 0.2, 0.3], terms=terms)
    make_run(tmp_path / "ce", method="ce", losses=[2.5, 1.5], accuracies=[0.1, 0.2], terms={"ce": [2.5, 1.5]})
    (curve,) = [curve for curve in curves_of(tmp_path) if curve.label == "kd"]
    assert curve.terms == {"ce": (4.0, 1.0), "kd": (8.0, 1.5), "loss": (9.0, 2.0)}
    (table,) = (block for block in section(build_page([tmp_path]), "curves").blocks if isinstance(block, Table))
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    shown = [(row["method"], row["first epoch"], row["last epoch"], row["epochs"]) for row in rows]
    of_kd = [("kd", "4", "1", "3"), ("kd", "8", "1.5", "3"), ("kd", "9", "2", "3")]
    assert sorted(shown) == [("ce", "2.5", "1.5", "2"), *of_kd]

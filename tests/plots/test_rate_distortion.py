"""The rate-distortion curve: its numbers are those of the store, and every picture is written."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from matplotlib.image import imread
from plotkit import RDM_EPOCHS, TEACHER_TOP1, WEIGHTS, add_rdm, make_store, remake
from textkit import assert_readable

from teachonce.cache import Store
from teachonce.errors import InputError, StoreMissingError
from teachonce.plots.draw.rate_distortion import draw_rate_distortion, number
from teachonce.plots.make import plot_rate_distortion
from teachonce.plots.rate_distortion import RdmCurve, RdmPoint, rate_distortion
from tests.cli.conftest import Call


def test_points_are_those_of_the_targets(store: Store):
    (curve,) = rate_distortion(store)
    assert (curve.parent, curve.preset, curve.distortion_kind) == ("teacher", "general", "mse, sum")
    assert [point.distortion_weight for point in curve.points] == list(WEIGHTS)
    for place, point in enumerate(curve.points):
        assert point.target == f"rdm-{WEIGHTS[place]:g}"
        assert point.bits == pytest.approx(45 + 30 * place)
        assert point.top1 == pytest.approx(0.5 + 0.08 * place)
        assert point.distortion == pytest.approx(9 / (1 + place) / (RDM_EPOCHS - 1))  # of the epoch that was kept
        assert (point.best_epoch, point.epochs) == (RDM_EPOCHS - 1, tuple(range(1, RDM_EPOCHS + 1)))
        assert point.bits_by_epoch[0] == pytest.approx(60 + 30 * place)


def test_the_teacher_is_the_one_that_the_rdms_were_trained_on(bare: Store):
    """By now another one may have its name, and RDMs of its own."""
    add_rdm(bare, 1.0)
    add_rdm(bare, 100.0)
    remake(bare)
    add_rdm(bare, 10.0)
    curves = rate_distortion(bare)
    assert sorted([p.distortion_weight for p in curve.points] for curve in curves) == [[1, 100], [10]]
    assert {(curve.parent, curve.parent_top1) for curve in curves} == {("teacher", TEACHER_TOP1)}
    for folder in ("targets", "journal", "classes"):
        shutil.rmtree(bare.path / folder / "teacher")
    assert rate_distortion(bare) == curves


def test_without_labels_or_reconstruction(tmp_path: Path):
    made = make_store(tmp_path / "s.zarr", with_labels=False)
    add_rdm(made, 2.0, reconstructs=False, top1=False)
    (curve,) = rate_distortion(made)
    (point,) = curve.points
    assert (curve.preset, curve.distortion_kind, curve.parent_top1) == ("cnn", None, None)
    assert (point.top1, point.distortion) == (None, None)
    plot_rate_distortion(store=made.path, out=tmp_path / "one.png")
    assert draw_rate_distortion([curve]).axes[0].get_xlabel() == "R, the weight on CE and KL"
    assert titles([curve]) == ["Rate over R", "Rate in training"]


def titles(curves: list[RdmCurve]) -> list[str]:
    return [axes.get_title() for axes in draw_rate_distortion(curves).axes]


def test_panels_show_the_numbers(store: Store):
    curves = rate_distortion(store)
    panels = {axes.get_title(): axes for axes in draw_rate_distortion(curves).axes}
    names = {"Accuracy": "top1", "Rate": "bits", "Distortion": "distortion"}
    shown = {"R": "distortion_weight", "rate": "bits"}
    assert list(panels) == [
        *("Accuracy over R", "Rate over R", "Distortion over R"),
        *("Accuracy over rate", "Distortion over rate", "Rate in training"),
    ]
    for title in list(panels)[:5]:
        up, across = names[title.split()[0]], shown[title.split()[-1]]
        x, y = panels[title].lines[0].get_data()
        assert list(x) == [getattr(point, across) for point in curves[0].points]
        assert list(y) == [getattr(point, up) for point in curves[0].points]
    assert panels["Accuracy over R"].lines[1].get_ydata()[0] == curves[0].parent_top1
    assert [tick.get_text() for tick in panels["Rate over R"].get_xticklabels()] == ["1", "10", "100"]


def test_other_settings_are_another_curve(bare: Store, tmp_path: Path):
    add_rdm(bare, 1.0)
    add_rdm(bare, 10.0, seed=4)
    add_rdm(bare, 100.0)
    assert sorted([p.distortion_weight for p in curve.points] for curve in rate_distortion(bare)) == [[1, 100], [10]]
    plot_rate_distortion(store=bare.path, out=tmp_path / "two.svg")


@pytest.mark.parametrize("suffix", ["PNG", "svg", "pdf"])
def test_the_picture_is_written_and_always_the_same(store: Store, tmp_path: Path, suffix: str):
    first, again = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    assert plot_rate_distortion(store=store.path, out=first).out == str(first)
    plot_rate_distortion(store=store.path, out=again)
    assert first.read_bytes() == again.read_bytes()
    assert first.read_bytes().startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix.lower()])
    if suffix == "PNG":
        assert imread(first)[..., :3].std() > 0.05


@pytest.mark.parametrize("name", ["picture.jpg", "picture", "picture.png.txt"])
def test_other_suffixes_are_refused_first(tmp_path: Path, name: str):
    with pytest.raises(InputError, match=r"expected the suffix \.png, \.svg or \.pdf"):
        plot_rate_distortion(store="nowhere", out=tmp_path / name)


def test_a_folder_is_no_picture(tmp_path: Path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        plot_rate_distortion(store="nowhere", out=tmp_path / "a.png")


def test_without_rdms_it_says_how_to_get_some(bare: Store, tmp_path: Path):
    with pytest.raises(StoreMissingError, match="no finished RDM") as caught:
        plot_rate_distortion(store=bare.path, out=tmp_path / "a.png")
    assert "teachonce rdm --store" in caught.value.mend
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(("value", "text"), [(1e4, "10,000"), (0.8, "0.8"), (1234.5, "1,234"), (1e-7, "1e-07")])
def test_numbers(value: float, text: str):
    assert number(value) == text


def curve(weights: Sequence[float], bits: float, kind: str = "mse, sum") -> RdmCurve:
    points = tuple(
        RdmPoint(
            target=f"rdm-{weight:g}",
            distortion_weight=weight,
            bits=bits + place / 4,
            top1=0.5,
            distortion=3.0 + place,
            best_epoch=1,
            epochs=(1,),
            bits_by_epoch=(bits + place / 4,),
        )
        for place, weight in enumerate(weights)
    )
    return RdmCurve(parent="teacher", preset="general", distortion_kind=kind, parent_top1=0.9, points=points)


def test_ticks_of_a_narrow_range_have_the_digits_they_need():
    panels = {axes.get_title(): axes for axes in draw_rate_distortion([curve([1, 10, 100, 1000], 1190.0)]).axes}
    axis = panels["Rate over R"].yaxis
    told = [axis.get_major_formatter()(tick) for tick in axis.get_majorticklocs()]
    assert [float(text.replace(",", "")) for text in told] == pytest.approx(list(axis.get_majorticklocs()))
    assert len(set(told)) == len(told) > 3


def test_a_scale_is_of_the_points_that_are_shown():
    far = curve([5], 1500.0)
    without = replace(far, points=tuple(replace(point, distortion=None) for point in far.points), distortion_kind=None)
    panels = {axes.get_title(): axes for axes in draw_rate_distortion([curve([1, 10], 38.0), without]).axes}
    assert panels["Distortion over rate"].get_xscale() == "linear"
    assert panels["Rate over R"].get_yscale() == "log"


def test_nothing_overlaps_whatever_r_is():
    kinds = ("mse, sum", "mse, mean", "smooth-l1, sum", "smooth-l1, mean")
    weights = [1e-7, 0.000123456789, 1, 2, 3, 10, 123456.789, 1e7]
    figure = draw_rate_distortion([curve(weights, 10.0 + place, kind) for place, kind in enumerate(kinds)])
    figure.draw_without_rendering()
    for axes in figure.axes:
        label = axes.yaxis.label.get_window_extent()
        assert figure.bbox.y0 <= label.y0 < label.y1 <= figure.bbox.y1, axes.get_title()
        ticks = [tick.get_window_extent() for tick in axes.get_xticklabels() if axes.get_title().endswith("over R")]
        assert all(left.x1 < right.x0 for left, right in pairwise(ticks)), axes.get_title()


@pytest.mark.parametrize("width", [3.4, 7.5])
def test_it_is_drawn_for_a_phone_and_for_a_desk(width: float):
    kinds = ("mse, sum", "smooth-l1, mean")
    curves = [curve([1, 10, 30, 100, 1e4], 10.0 + place, kind) for place, kind in enumerate(kinds)]
    figure = draw_rate_distortion(curves, width)
    assert_readable(figure, width)
    assert [axes.get_title() for axes in figure.axes] == titles(curves)
    columns = {axes.get_subplotspec().colspan.start for axes in figure.axes}
    assert len(columns) == {3.4: 1, 7.5: 2}[width]


def test_on_the_command_line(store: Store, tmp_path: Path, call: Call):
    words = ("plot", "rate-distortion", "--store", store.path, "--out", tmp_path / "a.png")
    told = call(*words, "--json").json
    assert [point["target"] for point in told["curves"][0]["points"]] == ["rdm-1", "rdm-10", "rdm-100"]
    assert told["curves"][0]["points"][1]["bits"] == pytest.approx(75)
    shown = call(*words).out
    assert "rdm-100" in shown
    assert f"written: {tmp_path / 'a.png'}" in shown
    assert call(*words[:-1], tmp_path / "none" / "a.gif", "--json").error["kind"] == "input"

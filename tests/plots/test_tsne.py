"""t-SNE maps: the same rows of each target, and what cannot be mapped."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.font_manager import fontManager
from plotkit import CLASSES, FAILED_ROW, NAMES, ROWS, add_rdm, add_target, embeddings, labels, make_store, remake
from textkit import assert_readable

from teachonce.cache import Store
from teachonce.errors import DataError, InputError, MismatchError, StoreMissingError, UnsealedError
from teachonce.plots.draw.tsne import draw_tsne
from teachonce.plots.make import plot_tsne
from teachonce.plots.texts import families, in_two
from teachonce.plots.tsne import Maps, Panel, _aligned, tsne
from tests.cli.conftest import Call
from tests.stages.trainkit import Heard


def purity(panel: Panel, maps: Maps) -> float:
    """How often a row's nearest neighbour on the map is of its class."""
    distance = np.linalg.norm(panel.xy[:, None] - panel.xy[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    return float(np.mean(maps.labels[distance.argmin(1)] == maps.labels))


def test_a_map_keeps_what_lies_together(store: Store):
    maps = tsne(store, ["teacher", "rdm-100"], seed=1)
    kept = (labels() >= 0) & (np.arange(ROWS) != FAILED_ROW)
    assert maps.rows.tolist() == np.flatnonzero(kept).tolist()
    assert maps.labels.tolist() == labels()[kept].tolist()
    assert maps.class_names == dict(enumerate(NAMES))
    for panel in maps.panels:
        assert (panel.array, panel.width, panel.xy.shape) == ("image_embedding", 8, (kept.sum(), 2))
        assert np.isfinite(panel.xy).all()
        assert purity(panel, maps) > 0.7 > 2 / CLASSES


def test_the_seed_decides(store: Store):
    first, again, other = (tsne(store, ["teacher"], rows=40, seed=seed) for seed in (1, 1, 2))
    assert first.rows.tolist() == again.rows.tolist() != other.rows.tolist()
    np.testing.assert_array_equal(first.panels[0].xy, again.panels[0].xy)
    assert len(first.rows) == 40
    assert (np.diff(first.rows) > 0).all()


def test_the_rows_do_not_depend_on_the_targets(store: Store):
    assert tsne(store, ["teacher"], rows=30).rows.tolist() == tsne(store, ["rdm-1", "teacher"], rows=30).rows.tolist()


def test_the_first_classes_are_shown(store: Store):
    maps = tsne(store, ["teacher"], classes=2)
    assert set(maps.labels.tolist()) == {0, 1}
    assert list(maps.class_names) == [0, 1]


def test_logits_where_there_are_no_embeddings(bare: Store):
    add_rdm(bare, 3.0, reconstructs=False)
    (panel,) = tsne(bare, ["rdm-3"], rows=30).panels
    assert (panel.array, panel.width) == ("logits", CLASSES)


def test_without_labels_all_rows_have_one_colour(tmp_path: Path):
    made = make_store(tmp_path / "s.zarr", with_labels=False)
    maps = tsne(made, ["teacher"], rows=50)
    assert (set(maps.labels.tolist()), maps.class_names) == ({-1}, {})
    assert len(draw_tsne(maps).axes[0].collections[0].get_offsets()) == 50


@pytest.mark.parametrize("distinct", [1, 2, 3, 30])
def test_equal_rows_are_one_point(bare: Store, distinct: int):
    """As those of an RDM at a low rate: t-SNE would draw them apart."""
    values = np.arange(ROWS) % distinct
    add_target(bare, "same", {"image_embedding": (np.eye(30)[values] + 1)[:, None].astype(np.float32)})
    maps = tsne(bare, ["teacher", "same"], rows=120)
    panel = maps.panels[1]
    assert np.isfinite(panel.xy).all()
    assert panel.kl >= 0
    assert len(np.unique(panel.xy, axis=0)) == panel.distinct == distinct
    for value in range(distinct):
        assert np.ptp(panel.xy[values[maps.rows] == value], axis=0).max() == 0
    told = [text.get_text() for axes in draw_tsne(maps).axes for text in axes.texts]
    assert told == ["embedding, 8 wide", f"embedding, 30 wide, {distinct} distinct"]


def test_maps_are_turned_onto_the_first():
    xy = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    xy -= xy.mean(0)
    turned = xy @ np.array([[0, 1], [1, 0]], np.float32) @ np.array([[0.6, -0.8], [0.8, 0.6]], np.float32)
    first, panel = (
        Panel(target="t", array="logits", width=2, xy=points, distinct=30, kl=0.0) for points in (xy, turned)
    )
    np.testing.assert_allclose(_aligned(panel, first).xy, xy, atol=1e-5)


def test_it_is_drawn_as_computed(store: Store):
    maps = tsne(store, ["teacher", "rdm-1"], rows=60)
    figure = draw_tsne(maps)
    for axes, panel in zip(figure.axes, maps.panels, strict=True):
        assert axes.get_title().strip() == panel.target
        drawn = np.concatenate([np.asarray(points.get_offsets()) for points in axes.collections])
        by_class = np.argsort(maps.labels, kind="stable")
        np.testing.assert_allclose(drawn, panel.xy[by_class])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(NAMES)
    assert len({points.get_facecolor().tobytes() for points in figure.axes[0].collections}) == CLASSES


def test_more_panels_than_fit_in_a_row(store: Store, bare: Store, tmp_path: Path):
    for place in range(5):
        add_target(bare, f"t{place}", {"image_embedding": embeddings(0.5 + place)})
    names = [f"t{place}" for place in range(5)]
    figure = draw_tsne(tsne(bare, names, rows=20))
    assert [axes.get_title().strip() for axes in figure.axes] == names  # and no empty panel
    told = plot_tsne(store=bare.path, targets=names, out=tmp_path / "a.png", rows=20)
    assert [panel["target"] for panel in told.panels] == ["t0", "t1", "t2", "t3", "t4"]
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def maps_of(names: Sequence[str], targets: Sequence[str]) -> Maps:
    rows = np.arange(3 * len(names))
    xy = np.random.default_rng(0).normal(size=(len(rows), 2)).astype(np.float32)
    shared = {"array": "logits", "width": 4, "xy": xy, "distinct": len(rows), "kl": 0.1}
    panels = tuple(Panel(target=target, **shared) for target in targets)
    labels = (rows % len(names)).astype(np.int32)
    return Maps(rows=rows, labels=labels, class_names=dict(enumerate(names)), panels=panels)


@pytest.mark.parametrize("targets", [["teacher"], ["teacher", "t" * 64, "assistant-" * 6]])
@pytest.mark.parametrize(
    "names",
    [[f"a class of a long and tedious name, subspecies {i}" for i in range(10)], [f"c{i}" for i in range(100)]],
)
def test_names_stay_in_the_picture(names: list[str], targets: list[str]):
    figure = draw_tsne(maps_of(names, targets))
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box, bounds = legend.get_window_extent(), figure.bbox
    assert bounds.x0 <= box.x0 < box.x1 <= bounds.x1
    assert all(box.y1 < axes.get_window_extent().y0 for axes in figure.axes)
    assert all(axes.get_window_extent().height > 2 * figure.dpi for axes in figure.axes)
    titles = [axes.title.get_window_extent() for axes in figure.axes]
    assert all(left.x1 < right.x0 for left, right in pairwise(titles))
    assert len({text.get_text() for text in legend.get_texts()}) == len(names)


@pytest.mark.parametrize("width", [3.4, 7.5])
@pytest.mark.parametrize("targets", [["teacher"], ["teacher", "t" * 64, "assistant-" * 6]])
def test_it_is_drawn_for_a_phone_and_for_a_desk(width: float, targets: list[str]):
    figure = draw_tsne(maps_of([f"a class of a long and tedious name, no. {i}" for i in range(10)], targets), width)
    assert_readable(figure, width)
    assert all(axes.get_window_extent().height > 1.8 * figure.dpi for axes in figure.axes)


def test_characters_that_the_usual_font_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fonts = [entry for entry in fontManager.ttflist if entry.name in ("STIXGeneral", "DejaVu Sans")]
    monkeypatch.setattr("teachonce.plots.texts.fontManager", SimpleNamespace(ttflist=fonts))
    assert families(["caf\u00e9 ", "tab\t"]) == (["DejaVu Sans"], "")
    assert families(["\u1d84\u65e5", "\u82b1"]) == (["DejaVu Sans", "STIXGeneral"], "\u65e5\u82b1")
    heard = Heard()
    store = make_store(tmp_path / "s.zarr", names=("a", "b", "c", "\u65e5"))
    plot_tsne(store=store.path, targets=["teacher"], out=tmp_path / "a.png", rows=20, events=heard)
    (warning,) = heard.warnings
    assert warning.startswith("no installed font has \u65e5: the figure shows boxes instead")


def test_progress_is_told(store: Store):
    seen: list[str] = []

    class Noted(Heard):
        def task(self, title: str, *, total: int, done: int = 0, unit: str = "rows"):
            seen.append(f"{title}: {total} {unit}")
            return super().task(title, total=total, done=done, unit=unit)

    tsne(store, ["teacher", "rdm-1"], rows=20, events=Noted())
    assert seen == ["map 20 rows: 2 targets"]


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"targets": ["rdm-2"]}, StoreMissingError, "no target 'rdm-2'"),
        ({"targets": []}, InputError, "got none"),
        ({"targets": ["teacher", "teacher"]}, InputError, "each once, got teacher, teacher"),
        ({"rows": 9}, InputError, "rows: expected at least 10"),
        ({"perplexity": 0.0}, InputError, "perplexity above 0"),
        ({"classes": 0}, InputError, "classes: expected at least 1"),
        ({"out": Path("a.jpeg")}, InputError, "suffix"),
    ],
)
def test_bad_input(store: Store, tmp_path: Path, options: dict[str, object], error: type[Exception], told: str):
    common = {"targets": ["teacher"], "rows": 20, "out": tmp_path / "a.png"}
    with pytest.raises(error, match=told):
        plot_tsne(store=store.path, **(common | options))
    assert not list(tmp_path.iterdir())


def test_too_few_rows_in_common(bare: Store):
    add_target(bare, "rest", {"image_embedding": embeddings(1.0)}, failed=range(5, ROWS))
    with pytest.raises(DataError, match="rows of these classes in all of these targets"):
        tsne(bare, ["teacher", "rest"])


def test_a_target_that_is_not_finished(bare: Store):
    add_target(bare, "half", {"image_embedding": embeddings(1.0)}, seal=False)
    with pytest.raises(UnsealedError, match="half"):
        tsne(bare, ["half"])


def test_on_the_command_line(store: Store, tmp_path: Path, call: Call):
    words = ("plot", "tsne", "--store", store.path, "--targets", "teacher, rdm-10", "--out", tmp_path / "a.svg")
    told = call(*words, "--rows", 20, "--json").json
    assert [panel["target"] for panel in told["panels"]] == ["teacher", "rdm-10"]
    assert len(told["rows"]) == len(told["labels"]) == len(told["panels"][0]["x"]) == 20
    assert told["class_names"] == {str(label): name for label, name in enumerate(NAMES)}
    assert "rdm-10" in call(*words, "--rows", 20).out
    assert call("plot", "tsne", "--store", store.path, "--targets", "a,,b", "--out", "a.png").code == 2


def test_an_rdm_of_another_teacher_of_that_name_is_not_shown_beside_it(bare: Store):
    add_rdm(bare, 3.0)
    remake(bare)
    with pytest.raises(MismatchError, match="rdm-3 was trained on another target 'teacher'"):
        tsne(bare, ["rdm-3", "teacher"], rows=30)
    assert tsne(bare, ["rdm-3"], rows=30).panels[0].target == "rdm-3"


def test_titles_break_before_they_are_shortened(store: Store):
    maps = tsne(store, ["teacher", "rdm-1", "rdm-100"], rows=30)
    named = replace(maps, panels=tuple(replace(panel, target="student: clip-teacher-kd") for panel in maps.panels))
    figure = draw_tsne(named, 7.5)
    assert {axes.get_title() for axes in figure.axes} == {"student:\nclip-teacher-kd"}
    assert_readable(figure, 7.5)


def test_a_name_takes_two_lines_at_most():
    assert in_two("kd", 1.0) == "kd"
    assert in_two("student: clip-kd", 1.0) == "student:\nclip-kd"
    assert in_two("clip-teacher-kd", 1.0) == "clip-\nteacher-kd"
    long = in_two(f"{'a' * 40}-{'b' * 40}", 1.0)
    assert [line.count("…") for line in long.splitlines()] == [1, 1]
    assert in_two("a" * 40, 1.0).count("…") == 1

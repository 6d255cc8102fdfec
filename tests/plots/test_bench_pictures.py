"""Pictures of benchmarks: their numbers are those of the results, and they can be read on a phone and on a desk."""

from dataclasses import replace

import pytest
from bench_macs import bench_macs
from benchkit import METHOD, STEPS, live_case, many_cases
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from textkit import assert_readable

from teachonce.benchmarks.live.payoff import payoff
from teachonce.benchmarks.live.records import ArmResult, CaseResult
from teachonce.benchmarks.parts import MacsBench, MacsSaid
from teachonce.methods.clip_embed_kd import MEMORY_CLAIM, TIME_CLAIM
from teachonce.plots.arms import ARMS
from teachonce.plots.draw.accounting import draw_accounting, short
from teachonce.plots.draw.arms import PART_COLOURS, draw_arms
from teachonce.plots.draw.break_even import draw_break_even
from teachonce.plots.draw.sweep import draw_sweep
from teachonce.plots.texts import digits

ARMS_OF = live_case().methods[METHOD].arms.each
WIDTHS = pytest.mark.parametrize("width", [3.4, 7.5])


@pytest.fixture(scope="module")
def costs() -> MacsBench:
    return bench_macs(preset="cifd-cnn")


def texts(figure: Figure) -> set[str]:
    return {text.get_text() for axes in figure.axes for text in axes.texts}


def bar_ends(figure: Figure, panel: int) -> list[float]:
    """Where the bars of each row end, from the top."""
    ends: dict[float, float] = {}
    for patch in figure.axes[panel].patches:
        row = round(patch.get_y() + patch.get_height() / 2, 6)
        ends[row] = max(ends.get(row, 0.0), patch.get_x() + patch.get_width())
    return [ends[row] for row in sorted(ends)]


@WIDTHS
def test_arms_are_as_long_as_their_steps(width: float):
    figure = draw_arms(ARMS_OF, width)
    assert_readable(figure, width)
    assert [axes.get_title("left") for axes in figure.axes] == ["Time of a step", "Memory between steps", "Peak memory"]
    assert bar_ends(figure, 0) == pytest.approx([*STEPS.values(), 102.0])
    assert bar_ends(figure, 1) == pytest.approx([0.092, 0.092, 0.092, 1.33])
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == list(ARMS.values())
    assert {"102", "22.5", "1.33", "2.2"} <= texts(figure)


def test_parts_of_a_step_are_its_shares():
    """They were timed apart, and need not add up to the step."""
    figure = draw_arms(ARMS_OF, 7.5)
    colour = PART_COLOURS["teacher"]
    (teacher,) = (p for p in figure.axes[0].patches if p.get_facecolor()[:3] == _rgb(colour))
    parts = sum(ARMS_OF["live"].parts_ms.values())
    assert teacher.get_width() == pytest.approx(80 / parts * 102)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        *("data", "transfer", "teacher", "student forward", "loss", "backward", "optimiser")
    ]


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))


@WIDTHS
def test_arms_without_parts_and_memory(width: float):
    """As of two trainings, one live and one cached."""
    peaks = {"cached": None, "live": 5_000_000}
    own = {
        name: ArmResult(step_ms=ARMS_OF[name].step_ms, epoch_s=1.0, peak_memory_bytes=peak)
        for name, peak in peaks.items()
    }
    figure = draw_arms(own, width)
    assert_readable(figure, width)
    assert [axes.get_title("left") for axes in figure.axes] == ["Time of a step", "Peak memory"]
    assert bar_ends(figure, 0) == pytest.approx([22.5, 102.0])
    assert not figure.legends


def test_the_crossing_is_where_both_have_cost_the_same():
    data = live_case(stage_one_s=78.0).costs(METHOD)
    gain = (102.0 - 22.5) / 1e3 * 50_000 / 64
    assert data.crossing == pytest.approx(78.0 / gain)
    assert data.cached_s(data.crossing) == pytest.approx(data.live_s(data.crossing))
    assert payoff(data).break_even_epochs == data.crossing
    assert live_case(rdm_s=22.0).costs(METHOD).crossing == pytest.approx(100.0 / gain)
    assert live_case(teacher_ms=-1.0).costs(METHOD).crossing is None


@WIDTHS
@pytest.mark.parametrize(
    ("stage_one_s", "teacher_ms", "titles", "told"),
    [
        (78.0, 80.0, ["Until break-even", "One student, 200 epochs"], "1.3 epochs,\n1.7 min"),
        (2500.0, 80.0, ["Until break-even", "One student, 200 epochs"], "40 epochs,\n0.89 h"),
        (5000.0, 80.0, ["Break-even"], "81 epochs,\n1.8 h"),
        (5600.0, 80.0, ["Break-even"], "90 epochs,\n2 h"),
        (18000.0, 80.0, ["Break-even"], "290 epochs,\n6.4 h"),
        (60000.0, 80.0, ["One student, 200 epochs"], None),
        (78.0, -1.0, ["One student, 200 epochs"], None),
        (0.0, 80.0, ["One student, 200 epochs"], None),
    ],
)
def test_break_even(width: float, stage_one_s: float, teacher_ms: float, titles: list[str], told: str | None):
    data = live_case(stage_one_s=stage_one_s, teacher_ms=teacher_ms).costs(METHOD)
    figure = draw_break_even(data, width)
    assert_readable(figure, width)
    assert [axes.get_title("left") for axes in figure.axes] == titles
    assert texts(figure) == ({told} if told else set())
    for text in (text for axes in figure.axes for text in axes.texts):
        assert text.get_window_extent().y0 > text.axes.get_window_extent().y0
    cached, live = figure.axes[-1].lines[:2]
    per = cached.get_ydata()[0] / data.ahead_s if data.ahead_s else live.get_ydata()[1] / data.live_s(200)
    last = cached.get_xdata()[1]
    assert list(cached.get_ydata()) == pytest.approx([per * data.ahead_s, per * data.cached_s(last)])
    assert list(live.get_ydata()) == pytest.approx([0, per * data.live_s(last)])


@WIDTHS
def test_a_sweep_has_a_dot_for_each_ratio(width: float):
    cases = many_cases()
    found = [case.methods[METHOD] for case in cases]
    figure = draw_sweep(cases, METHOD, width)
    assert_readable(figure, width)
    time, memory, peak = figure.axes
    for axes, values in (
        (time, [one.speedup for one in found]),
        (memory, [one.memory_ratio for one in found]),
        (peak, [one.peak_memory_ratio for one in found]),
    ):
        dots = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
        assert sorted(dots) == pytest.approx(sorted(value or 0 for value in values))
    dashed = {axes.get_title("left"): [x for line in axes.lines for x in claim(line)] for axes in figure.axes}
    assert dashed == {"Time": [TIME_CLAIM], "Memory": [MEMORY_CLAIM], "Peak memory": []}
    assert [tick.get_text() for tick in time.get_yticklabels()] == [
        f"{name}\n{precision}" for name in ("l32-32", "l16-64", "b16-32") for precision in ("float32", "bf16")
    ]


def claim(line: Line2D) -> list[float]:
    """Where the paper's figure is."""
    return [float(line.get_xdata()[0])] if line.get_linestyle() == "--" else []


@WIDTHS
@pytest.mark.parametrize("given", [[live_case()], [live_case(None, method="kd")], [live_case(), live_case(batch=8)]])
def test_any_results_make_a_sweep(width: float, given: list[CaseResult]):
    (method,) = given[0].methods
    figure = draw_sweep(given, method, width)
    assert_readable(figure, width)
    told = [text.get_text() for text in figure.legends[0].get_texts()]
    assert ("the paper's 8x and 9x" in told) == (method == METHOD)


@WIDTHS
def test_costs_are_drawn_as_counted(costs: MacsBench, width: float):
    figure = draw_accounting(costs, width)
    assert_readable(figure, width)
    assert bar_ends(figure, 0) == pytest.approx([scheme.macs / 1e12 for scheme in costs.schemes])
    marks = [line.get_xdata()[0] for line in figure.axes[0].lines]
    assert marks == pytest.approx([said / 1e12 for scheme in costs.schemes if (said := costs.said(scheme))])
    assert {one.name: one.paper.ratio for one in costs.schemes if one.paper and one.paper.ratio} == {
        "takd": 2.0,
        "dgkd": 5.0,
    }
    assert {"453 T", "943 T, 2.08x", "2,033 T, 4.49x"} <= texts(figure)
    assert figure.axes[0].get_xlabel() == "forward MACs (T = 10\u00b9\u00b2),\nx: times CIFD, live teacher"


@WIDTHS
def test_costs_of_a_larger_experiment(costs: MacsBench, width: float):
    schemes = [
        replace(one, macs=1000 * one.macs, parts={part: 1000 * macs for part, macs in one.parts.items()})
        for one in costs.schemes
    ]
    schemes[1] = replace(schemes[1], paper=MacsSaid(ratio=2.0))
    schemes[3] = replace(schemes[3], paper=MacsSaid(text="762 P", macs=762e15))
    data = replace(costs, schemes=tuple(schemes), reference="kd")
    assert [data.said(one) for one in schemes[1:4:2]] == [2.0 * data.base.macs, 762e15]
    figure = draw_accounting(data, width)
    assert_readable(figure, width)
    assert "228 P" in texts(figure)


def test_numbers():
    assert [short(value) for value in (762.2e15, 2.4e18, 4.5e9, 12)] == ["762 P", "2,400 P", "4.5 G", "12"]
    assert [digits(value) for value in (1234.5, 99.99, 0.01234)] == ["1,234", "100", "0.0123"]


@pytest.mark.parametrize("spoil", ["small", "outside", "overlap"])
def test_what_cannot_be_read_is_found(spoil: str):
    figure = draw_arms(ARMS_OF, 3.4)
    assert_readable(figure, 3.4)
    if spoil == "small":
        figure.axes[0].title.set_text("")
        figure.axes[0].set_title("tiny", fontsize=8)
    else:
        figure.text(0.95 if spoil == "outside" else 0.4, 0.5 if spoil == "outside" else 0.98, "a text of some words")
    with pytest.raises(AssertionError):
        assert_readable(figure, 3.4)

"""Time and memory of the arms of a benchmark: bars, with the time split into the parts of a step."""

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from teachonce.plots.arms import ARMS, STEP_PARTS, ArmBar, Arms
from teachonce.plots.draw.bars import end_texts, name_rows
from teachonce.plots.figure import INK, blank, is_narrow, legend_below, style, text_size
from teachonce.plots.texts import digits

PART_COLOURS = {
    "data": "#94a4a2",
    "transfer": "#bd1f01",
    "teacher": "#ffa90e",
    "student_forward": "#3f90da",
    "loss": "#832db6",
    "backward": "#92dadd",
    "optimiser": "#a96b59",
}
ARM_COLOURS = {"student-only": "#94a4a2", "constant": "#94a4a2", "cached": "#3f90da", "live": "#ffa90e"}
_BAR, _ROW = 0.62, 0.27  # share of a row that is bar; inches of a row
_FRAME = 0.85  # inches of a panel beside its rows: title, ticks and label
_BYTES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def draw_arms(arms: Arms, width: float) -> Figure:
    """Draw the step time in ms, and the memory between steps and at the peak if known.

    Args:
        arms: Of one method.
        width: Inches; the panels stand below each other where there is no room beside.
    """
    with style(size=text_size(width)):
        memory = [panel for panel in _MEMORY if any(panel[1](bar) is not None for bar in arms.bars)]
        rows = 1 + (len(memory) if is_narrow(width) else bool(memory))
        figure = blank(width, rows * (_FRAME + _ROW * len(arms.bars)) + 0.5)
        axes = _panels(figure, len(memory), narrow=is_narrow(width))
        _times(axes[0], [bar for bar in arms.bars if bar.step_ms is not None], width)
        for panel, (title, of) in zip(axes[1:], memory, strict=True):
            bars = [bar for bar in arms.bars if of(bar) is not None]
            _memory(panel, title, bars, [of(bar) or 0 for bar in bars], width if is_narrow(width) else width / 2)
        used = [part for part in STEP_PARTS if any(bar.parts_ms.get(part) for bar in arms.bars)]
        if used:
            legend_below(figure, [Patch(color=PART_COLOURS[part], label=STEP_PARTS[part]) for part in used], most=4)
    return figure


_MEMORY: tuple[tuple[str, Callable[[ArmBar], int | None]], ...] = (
    ("Memory between steps", lambda bar: bar.allocated_bytes),
    ("Peak memory", lambda bar: bar.peak_memory_bytes),
)


def _panels(figure: Figure, memory: int, *, narrow: bool) -> list[Axes]:
    """One for the time, then those for the memory."""
    if narrow or not memory:
        return list(figure.subplots(1 + memory, 1, squeeze=False)[:, 0])
    grid = figure.add_gridspec(2, memory)
    return [figure.add_subplot(grid[0, :]), *(figure.add_subplot(grid[1, place]) for place in range(memory))]


def _times(axes: Axes, bars: Sequence[ArmBar], width: float) -> None:
    """Parts are scaled to the step time, which was measured separately."""
    times = [bar.step_ms or 0.0 for bar in bars]
    for place, (bar, step) in enumerate(zip(bars, times, strict=True)):
        total, start = sum(bar.parts_ms.values()), 0.0
        if not total:
            axes.barh(place, step, _BAR, color=ARM_COLOURS[bar.arm])
        for part, ms in bar.parts_ms.items():
            axes.barh(place, ms / total * step, _BAR, start, color=PART_COLOURS[part])
            start += ms / total * step
        if bar.low is not None and bar.high is not None:
            axes.plot([bar.low, bar.high], [place, place], color=INK, linewidth=1.2)
    _finish(axes, "Time of a step", bars, [max(bar.high or 0.0, step) for bar, step in zip(bars, times, strict=True)],
            [digits(step) for step in times], width)  # fmt: skip
    axes.set_xlabel("milliseconds")


def _memory(axes: Axes, title: str, bars: Sequence[ArmBar], sizes: Sequence[int], width: float) -> None:
    unit, letter = next(((unit, letter) for unit, letter in _BYTES if max(sizes) >= unit), (1.0, "B"))
    values = [size / unit for size in sizes]
    for place, (bar, value) in enumerate(zip(bars, values, strict=True)):
        axes.barh(place, value, _BAR, color=ARM_COLOURS[bar.arm])
    _finish(axes, title, bars, values, [digits(value) for value in values], width)
    axes.set_xlabel(letter)


def _finish(
    axes: Axes, title: str, bars: Sequence[ArmBar], ends: Sequence[float], texts: Sequence[str], width: float
) -> None:
    names = [ARMS[bar.arm] for bar in bars]
    name_rows(axes, names)
    end_texts(axes, ends, texts, names=names, width=width)
    axes.xaxis.set_major_locator(MaxNLocator(4 if is_narrow(width) else 6, steps=(1, 2, 5, 10)))
    axes.set_title(title, loc="left")

"""Time and memory of arms, as in the figure of CLIP-Embed-KD (arXiv 2404.06170): bars, time split into its parts."""

from collections.abc import Callable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from teachonce.benchmarks.live.records import ArmResult
from teachonce.plots.arms import ARMS, STEP_PARTS
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


def draw_arms(arms: Mapping[str, ArmResult], width: float) -> Figure:
    """Draw the step time in ms, and the memory between steps and at the peak if known.

    Args:
        arms: Of one method, by their keys in ARMS.
        width: Inches; the panels stand below each other where there is no room beside.
    """
    with style(size=text_size(width)):
        memory = [panel for panel in _MEMORY if any(panel[1](arm) is not None for arm in arms.values())]
        rows = 1 + (len(memory) if is_narrow(width) else bool(memory))
        figure = blank(width, rows * (_FRAME + _ROW * len(arms)) + 0.5)
        axes = _panels(figure, len(memory), narrow=is_narrow(width))
        _times(axes[0], arms, width)
        for panel, (title, of) in zip(axes[1:], memory, strict=True):
            sizes = {name: size for name, arm in arms.items() if (size := of(arm)) is not None}
            _memory(panel, title, sizes, width if is_narrow(width) else width / 2)
        used = [part for part in STEP_PARTS if any(arm.parts_ms.get(part) for arm in arms.values())]
        if used:
            legend_below(figure, [Patch(color=PART_COLOURS[part], label=STEP_PARTS[part]) for part in used], most=4)
    return figure


_MEMORY: tuple[tuple[str, Callable[[ArmResult], int | None]], ...] = (
    ("Memory between steps", lambda arm: arm.allocated_bytes),
    ("Peak memory", lambda arm: arm.peak_memory_bytes),
)


def _panels(figure: Figure, memory: int, *, narrow: bool) -> list[Axes]:
    """One for the time, then those for the memory."""
    if narrow or not memory:
        return list(figure.subplots(1 + memory, 1, squeeze=False)[:, 0])
    grid = figure.add_gridspec(2, memory)
    return [figure.add_subplot(grid[0, :]), *(figure.add_subplot(grid[1, place]) for place in range(memory))]


def _times(axes: Axes, arms: Mapping[str, ArmResult], width: float) -> None:
    """Parts are scaled to the step time, which was measured separately."""
    ends = []
    for place, (name, arm) in enumerate(arms.items()):
        parts = {part: ms for part in STEP_PARTS if (ms := arm.parts_ms.get(part))}
        total, start = sum(parts.values()), 0.0
        if not total:
            axes.barh(place, arm.step_ms, _BAR, color=ARM_COLOURS[name])
        for part, ms in parts.items():
            axes.barh(place, ms / total * arm.step_ms, _BAR, start, color=PART_COLOURS[part])
            start += ms / total * arm.step_ms
        if arm.spread is not None:
            axes.plot([arm.spread.low, arm.spread.high], [place, place], color=INK, linewidth=1.2)
        ends.append(max(arm.spread.high if arm.spread else 0.0, arm.step_ms))
    _finish(axes, "Time of a step", list(arms), ends, [digits(arm.step_ms) for arm in arms.values()], width)
    axes.set_xlabel("milliseconds")


def _memory(axes: Axes, title: str, sizes: Mapping[str, int], width: float) -> None:
    unit, letter = next(((unit, letter) for unit, letter in _BYTES if max(sizes.values()) >= unit), (1.0, "B"))
    values = [size / unit for size in sizes.values()]
    axes.barh(range(len(values)), values, _BAR, color=[ARM_COLOURS[name] for name in sizes])
    _finish(axes, title, list(sizes), values, [digits(value) for value in values], width)
    axes.set_xlabel(letter)


def _finish(
    axes: Axes, title: str, arms: Sequence[str], ends: Sequence[float], texts: Sequence[str], width: float
) -> None:
    names = [ARMS[arm] for arm in arms]
    name_rows(axes, names)
    end_texts(axes, ends, texts, names=names, width=width)
    axes.xaxis.set_major_locator(MaxNLocator(4 if is_narrow(width) else 6, steps=(1, 2, 5, 10)))
    axes.set_title(title, loc="left")

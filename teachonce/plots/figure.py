"""Shared by all figures: a colour-blind safe palette, sizes, and atomic writing of files."""

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from teachonce.errors import InputError
from teachonce.fsio import write_bytes
from teachonce.plots.texts import broken_within, inches
from teachonce.processwide import unwarned
from teachonce.texts import printable

COLOURS = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
"""Ten categorical colours that colour-blind readers can distinguish (Petroff 2021, arXiv 2107.02270)."""
INK, PALE = "#333333", "#dddddd"
SUFFIXES = (".png", ".svg", ".pdf")

_STYLE: Any = {
    "font.size": 10,
    "axes.titlesize": "large",
    "axes.titleweight": "bold",
    "axes.labelcolor": INK,
    "axes.edgecolor": "#888888",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
    "text.parse_math": False,  # names of classes and targets are shown as they are
    "svg.hashsalt": "teachonce",
    "savefig.facecolor": "white",
}
_NARROW = 5.0  # inches
_WHOLE = 1.01  # the end of an axis of shares: a line at 1 is not cut
_HANDLE, _ROW = 0.6, 0.21  # inches: a legend entry without its label, and the height of a line
_STAMPS: Mapping[str, Mapping[str, None]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {}}


def check_out(out: Path) -> Path:
    """Check the file of a figure before anything is computed.

    Raises:
        InputError: Another suffix than those of SUFFIXES, or a folder.
    """
    if out.suffix.lower() not in SUFFIXES:
        got = repr(out.suffix) if out.suffix else "none"
        raise InputError(f"{out}: expected the suffix .png, .svg or .pdf, got {got}", "Change --out")
    if out.is_dir():
        raise InputError(f"{out} is a folder", "Choose another --out")
    return out


@contextmanager
def style(fonts: Sequence[str] = ("DejaVu Sans",), size: float = 10.0) -> Iterator[None]:
    """Use the style of this package for everything drawn inside; the caller's settings are restored.

    Args:
        fonts: Families, each for the characters that those before it lack.
        size: Of text, in points.
    """
    with mpl.rc_context(), unwarned("Glyph .* missing"):  # `tsne` says which characters no font has
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE | {"font.family": list(fonts), "font.size": size})
        yield


def is_narrow(width: float) -> bool:
    """Whether a figure of this width (inches) is for a phone: panels are stacked, and text is smaller."""
    return width < _NARROW


def text_size(width: float) -> float:
    """Font size in points for a figure of this width in inches."""
    return 9.0 if is_narrow(width) else 10.0


def blank(width: float, height: float) -> Figure:
    """An empty figure of a size in inches, laid out so that nothing overlaps."""
    layout = ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.08)
    return Figure(figsize=(width, height), layout=layout)


def legend_below(figure: Figure, handles: Sequence[Artist], most: int) -> None:
    """A legend under all panels: rows of equal length, of at most `most` entries and no wider than the figure.

    The figure grows by the rows beyond the second; labels that are wider than the figure are broken into lines.
    """
    room, size = figure.get_figwidth() - 0.3, float(mpl.rcParams["font.size"])
    labels = [broken_within(str(handle.get_label()), room - _HANDLE, size) for handle in handles]
    widths = [max(inches(line, size) for line in label.split("\n")) + _HANDLE for label in labels]
    columns = next(
        count for count in range(min(most, len(labels)), 0, -1) if count == 1 or _wide(widths, count) <= room
    )
    rows = math.ceil(len(labels) / columns)
    columns = math.ceil(len(labels) / rows)
    lines = sum(max(label.count("\n") + 1 for label in labels[row::rows]) for row in range(rows))
    figure.set_figheight(figure.get_figheight() + _ROW * max(lines - 2, 0))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, columnspacing=1.4, handletextpad=0.5)


def _wide(widths: Sequence[float], columns: int) -> float:
    """The width of entries in columns; if they cannot be divided evenly, the first columns have one more."""
    rows, larger = divmod(len(widths), columns)
    ends = [rows * column + min(column, larger) for column in range(columns + 1)]
    return sum(max(widths[start:end]) for start, end in pairwise(ends))


def save(figure: Figure, out: Path) -> None:
    """Write a figure in the format of the suffix; the same figure gives the same bytes.

    Raises:
        DiskError: It cannot be written; an existing file is unchanged.
    """
    suffix = out.suffix.lower()
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format=suffix[1:], dpi=160, metadata=dict(_STAMPS[suffix]))
    data = buffer.getvalue()
    write_bytes(out, printable(data.decode()).encode() if suffix == ".svg" else data)


def per_cent(axes: Axes, which: str, label: str) -> None:
    """Label an axis of shares in per cent, with as many digits as its ticks need, up to 100."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    low, high = axis.get_view_interval()
    if high > _WHOLE >= axis.get_data_interval()[1]:
        (axes.set_ylim if which == "y" else axes.set_xlim)(low, _WHOLE)
    axis.set_major_formatter(lambda share, _position: f"{100 * share:.4g}")
    axis.set_label_text(f"{label} (%)")

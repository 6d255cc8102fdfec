"""Numbers with their units, as people read them, and what is not shown to them beside the numbers."""

import re
from collections.abc import Callable, Iterable, Mapping

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")
_MOST_DIGITS = 18  # what 64 bits hold


def printable(text: str) -> str:
    """A text without the characters that a terminal would obey, and that XML cannot hold; tabs and line ends stay."""
    return _CONTROLS.sub("", text)


def is_whole(text: str) -> bool:
    """Whether a text is a whole number as it is typed, of 64 bits at most: the digits 0 to 9 and nothing else."""
    return text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS


def rate_text(rate: float | None) -> str:
    """A rate with three significant digits, from a hundred on whole and with its thousands set apart."""
    if rate is None:
        return "-"
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def duration_text(seconds: float | None) -> str:
    """`31 ms`, `3.2 s`, `48 s`, `3:05 min` or `2:10 h`."""
    if seconds is None:
        return "-"
    if 0 < seconds < 0.0995:
        return f"{1000 * seconds:.2g} ms"
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h"


def size_text(size: int | None) -> str:
    """Bytes as kB, MB or GB (powers of ten)."""
    if size is None:
        return "-"
    if size < 99_950:
        return f"{size / 1e3:.3g} kB"
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:,.3g} MB"


def share_text(share: float | None) -> str:
    """A share in per cent."""
    return "-" if share is None else f"{100 * share:.2f} %"


def score_text(metric: str, value: float | None) -> str:
    """A value of `val_top1` in per cent, one of another metric as it is."""
    return share_text(value) if metric == "val_top1" or value is None else f"{value:.4f}"


def setting_text(value: object) -> str:
    """A setting as a recipe has it, a fraction with four digits."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def settings_text(values: Mapping[str, object]) -> str:
    """`lr 0.002131, kd.temperature 4`."""
    return ", ".join(f"{name} {setting_text(value)}" for name, value in values.items())


def points_text(difference: float) -> str:
    """A difference of two shares in points of per cent."""
    return f"{100 * difference:+.2f} points"


def range_text(low: float, high: float) -> str:
    """`95.00 - 97.22 %`, of shares."""
    return f"{100 * low:.2f} - {100 * high:.2f} %"


def step_text(milliseconds: float | None) -> str:
    """Milliseconds of a step: `4.79`, `107`."""
    return "-" if milliseconds is None else rate_text(milliseconds)


def measure_text(name: str, value: object) -> tuple[str, str]:
    """A number of a benchmark by its name in JSON: in words without the unit, and the number with its unit.

    `("teacher time", "75.8 ms")` of `teacher_ms`; a median with its quartiles is `0.998 (0.956 to 1.049)`.
    """
    label = name.replace("_", " ")
    if isinstance(value, Mapping):
        if value.keys() == {"median", "low", "high"}:
            return label, f"{value['median']:.3f} ({value['low']:.3f} to {value['high']:.3f})"
        return label, ", ".join(" ".join(measure_text(key, item)) for key, item in value.items())
    if value is None or isinstance(value, bool | str):
        return label, {None: "-", True: "yes", False: "no"}.get(value, str(value))  # type: ignore[arg-type]
    if isinstance(value, list):
        return label, ", ".join(map(str, value)) or "none"
    assert isinstance(value, int | float)
    for end, (what, unit) in _UNITS.items():
        if name.endswith(end):
            return f"{name.removesuffix(end).replace('_', ' ')} {what}".strip(), unit(value)
    return label, f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


_UNITS: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "_samples_per_s": ("rate", lambda value: f"{rate_text(value)} samples/s"),
    "_per_s": ("rate", lambda value: f"{rate_text(value)}/s"),
    "_bytes": ("size", lambda value: size_text(round(value))),
    "_macs": ("cost", lambda value: f"{_prefixed(value)}MACs"),
    "_ms": ("time", lambda value: f"{step_text(value)} ms"),
    "seconds": ("time", lambda value: duration_text(value)),
    "_s": ("time", lambda value: duration_text(value)),
}
"""Ends of names, what is measured, and what numbers of that unit look like."""


def _prefixed(value: float) -> str:
    """`32.6 T`, of a count."""
    size, letter = next((entry for entry in _LARGE if value >= entry[0]), (1.0, ""))
    return f"{value / size:.4g} {letter}"


_LARGE = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"))


def count_text(count: int, what: str) -> str:
    """`1 step`, `2,000 steps`."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def listed(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def number_text(value: float) -> str:
    """Two significant digits, whole from ten on: `0.031`, `4.6`, `1,200`."""
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.2g}"


def ratio_text(ratio: float | None) -> str:
    """`4.6x`."""
    return "-" if ratio is None else f"{number_text(ratio)}x"


def span_text(values: Iterable[float]) -> str:
    """`4.6`, or `1.2 to 4.6`."""
    ends = dict.fromkeys(map(number_text, (min(known := list(values)), max(known))))
    return " to ".join(ends)


def epochs_text(epochs: float | None) -> str:
    """`1.7 epochs`."""
    if epochs is None:
        return "never"
    number = number_text(epochs)
    return f"{number} epoch" if number == "1" else f"{number} epochs"

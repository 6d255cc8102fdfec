"""Numbers with their units, as people read them."""


def rate_text(rate: float | None) -> str:
    """A rate with three significant digits, from a hundred on whole and with its thousands set apart."""
    if rate is None:
        return "-"
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def duration_text(seconds: float | None) -> str:
    """`3.2 s`, `48 s`, `3:05 min` or `2:10 h`."""
    if seconds is None:
        return "-"
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h"


def size_text(size: int | None) -> str:
    """Bytes as MB or GB (powers of ten)."""
    if size is None:
        return "-"
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:,.3g} MB"


def share_text(share: float | None) -> str:
    """A share in per cent."""
    return "-" if share is None else f"{100 * share:.2f} %"


def step_text(milliseconds: float | None) -> str:
    """Milliseconds of a step: `4.79`, `107`."""
    return "-" if milliseconds is None else rate_text(milliseconds)


def listed(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"

"""The colours of a page in light and dark mode, and those of its figures."""

from collections.abc import Iterable

LIGHT = {
    "paper": "#fcfbf9",
    "card": "#ffffff",
    "ink": "#1c1e21",
    "soft": "#5b5f66",
    "line": "#e3e0da",
    "cached": "#0b6e66",
    "live": "#a84c06",
    "open": "#4f545c",
}
DARK = {
    "paper": "#131518",
    "card": "#1b1e22",
    "ink": "#e9e8e5",
    "soft": "#a3a8b0",
    "line": "#31353b",
    "cached": "#4fd1c1",
    "live": "#f5b054",
    "open": "#b4bac3",
}
_DARKEST = 0x33  # plots.figure.INK: greys from it to white become mixtures of ink and paper
_GREY = 10  # the most by which the channels of a grey differ
_CONTRAST = 4.0  # of a colour on the dark page; WCAG requires 3 for graphics
_STEP = 0.05


def variable(colour: str) -> str:
    """The CSS variable that stands for a colour of figures, `#rrggbb`."""
    return f"var(--p{colour[1:]})"


def rules(colours: Iterable[str], *, dark: bool) -> str:
    """The declarations of all variables of a page.

    Args:
        colours: Of its figures, `#rrggbb`.
        dark: For a dark screen.
    """
    names = {f"--{name}": value for name, value in (DARK if dark else LIGHT).items()}
    names |= {f"--p{colour[1:]}": dark_variant(colour) if dark else light(colour) for colour in sorted(set(colours))}
    return "".join(f"{name}:{value};" for name, value in names.items())


def light(colour: str) -> str:
    """The colour of a figure on the light page: white becomes the background."""
    return LIGHT["paper"] if colour == "#ffffff" else colour


def dark_variant(colour: str) -> str:
    """The colour of a figure on the dark page: greys are inverted, others lightened until their contrast suffices."""
    channels = _channels(colour)
    if max(channels) - min(channels) <= _GREY:
        paleness = max(0.0, (sum(channels) / 3 - _DARKEST) / (255 - _DARKEST))
        return _mixed(DARK["ink"], DARK["paper"], paleness)
    share = 0.0
    while contrast(lighter := _mixed(colour, "#ffffff", share), DARK["paper"]) < _CONTRAST:
        share += _STEP
    return lighter


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21 (WCAG 2.2)."""
    lights = sorted((_luminance(one), _luminance(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in _channels(colour))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def _mixed(one: str, other: str, share: float) -> str:
    """A colour between two; `share` of the other."""
    pairs = zip(_channels(one), _channels(other), strict=True)
    return "#" + bytes(round(a + (b - a) * share) for a, b in pairs).hex()

"""What is said of a scene: captions from templates, with synonyms, in several word orders; prompts of the classes."""

from teachonce.data.scenes.world import CELLS, COMBINATIONS, Draws, Scene

COLOUR_WORDS: dict[str, tuple[str, ...]] = {
    "red": ("red", "crimson", "scarlet"),
    "orange": ("orange", "tangerine"),
    "yellow": ("yellow", "lemon yellow"),
    "green": ("green", "emerald"),
    "cyan": ("cyan", "turquoise"),
    "blue": ("blue", "cobalt"),
    "purple": ("purple", "violet"),
    "pink": ("pink", "rose"),
    "black": ("black",),
    "white": ("white",),
}
SHAPE_WORDS: dict[str, tuple[str, ...]] = {
    "circle": ("circle", "disc"),
    "ring": ("ring", "hoop"),
    "square": ("square", "box"),
    "triangle": ("triangle", "wedge"),
    "cross": ("cross", "plus sign"),
    "star": ("star", "five-pointed star"),
}
SIZE_WORDS = {True: ("large", "big"), False: ("small", "little")}
COUNT_WORDS = {1: ("a", "one", "a single"), 2: ("two", "a couple of"), 3: ("three",), 4: ("four",)}
GROUND_WORDS: dict[str, tuple[str, ...]] = {
    "dark": ("on a dark background", "against dark grey"),
    "grey": ("on a grey background", "against medium grey"),
    "light": ("on a light background", "against light grey"),
}
PLACE_WORDS: dict[str, tuple[str, ...]] = {
    "top left": ("in the top left corner", "at the upper left"),
    "top": ("at the top", "near the upper edge"),
    "top right": ("in the top right corner", "at the upper right"),
    "left": ("on the left", "near the left edge"),
    "centre": ("in the centre", "in the very middle"),
    "right": ("on the right", "near the right edge"),
    "bottom left": ("in the bottom left corner", "at the lower left"),
    "bottom": ("at the bottom", "near the lower edge"),
    "bottom right": ("in the bottom right corner", "at the lower right"),
    "row top": ("along the top", "in a row at the top"),
    "row middle": ("across the middle", "in a row in the middle"),
    "row bottom": ("along the bottom", "in a row at the bottom"),
    "column left": ("down the left side", "in a column on the left"),
    "column middle": ("down the middle", "in a column in the middle"),
    "column right": ("down the right side", "in a column on the right"),
}

TEMPLATES: tuple[tuple[str, ...], ...] = (
    ("{count} {colour} {shape}",),
    ("{size} {colour} {shape} {ground}",),
    ("{count} {size} {colour} {shape} {place}", " and {extra}"),
    ("{place}, {count} {colour} {shape}", "; besides, {extra}", ", {ground}"),
    ("there {be} {count} {size} {shape} in {colour} {place}", ", with {extra}"),
    ("{extra}, and ", "{count} {colour} {shape} {place}"),
    ("{ground}: {count} {size} {colour} {shape} {place}", ", then {extra}"),
    ("a picture of {count} {shape}, {colour} and {size}, {place}",),
    ("{place} {be} {count} {colour} {shape}", ", accompanied by {extra}", " {ground}"),
    ("we see {count} {colour} {shape} {ground}, {size} and {place}", "; there is also {extra}"),
)
"""Each in pieces; a piece with `{extra}` is left out where the scene has none."""
DRAWS = 8
"""What a caption takes of its words at most."""


def caption(scene: Scene, template: int, draws: Draws) -> str:
    """What the template with this number says of a scene.

    Args:
        scene: What is to be seen.
        template: Of TEMPLATES.
        draws: At least DRAWS.
    """
    count = len(scene.cells)
    shape, extra = draws.one(SHAPE_WORDS[scene.shape]), _extra(scene, draws)
    text = "".join(piece for piece in TEMPLATES[template] if extra or "{extra}" not in piece).format(
        count=draws.one(COUNT_WORDS[count]),
        size=draws.one(SIZE_WORDS[scene.large]),
        colour=draws.one(COLOUR_WORDS[scene.colour]),
        shape=_plural(shape) if count > 1 else shape,
        place=draws.one(PLACE_WORDS[scene.place]),
        ground=draws.one(GROUND_WORDS[scene.ground]),
        be="is" if count == 1 else "are",
        extra=extra,
    )
    return _articles(text)


def class_prompts() -> tuple[tuple[str, ...], ...]:
    """Texts of each class, for zero-shot: one of each number of objects."""
    return tuple(
        tuple(
            _articles(f"{words[0]} {colour} {shape if count == 1 else _plural(shape)}")
            for count, words in COUNT_WORDS.items()
        )
        for colour, shape in COMBINATIONS
    )


def _extra(scene: Scene, draws: Draws) -> str:
    if scene.extra is None:
        return ""
    shape, place = draws.one(SHAPE_WORDS[scene.extra.shape]), draws.one(PLACE_WORDS[CELLS[scene.extra.cell]])
    return f"a {scene.extra.tone} {shape} {place}"


def _plural(noun: str) -> str:
    return f"{noun}{'es' if noun.endswith(('s', 'x')) else 's'}"


def _articles(text: str) -> str:
    """`an` before a vowel."""
    words = text.split(" ")
    return " ".join(
        "an" if word == "a" and following[:1] in "aeio" else word
        for word, following in zip(words, [*words[1:], "."], strict=True)
    )

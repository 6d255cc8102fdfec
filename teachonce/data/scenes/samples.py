"""Scenes as data: images, labels, captions and prompts of numbered rows, each drawn from (seed, split, row) alone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from teachonce.data.counters import Words
from teachonce.data.scenes.drawn import GRAIN, OBJECTS, ORDER, SCENE, TEXTS, Drawn
from teachonce.data.scenes.render import LEAST_SIZE, MOST_SIZE, noise_counters, render
from teachonce.data.scenes.words import DRAWS, TEMPLATES, caption, class_prompts
from teachonce.data.scenes.world import COMBINATIONS, Draws, Scene, is_unseen
from teachonce.data.spec import whole_options
from teachonce.digests import digest_array
from teachonce.errors import DataError, InputError
from teachonce.types import Identity, JsonObject

SPLITS = ("train", "test", "unseen")
DEFAULTS = {"rows": 10_000, "size": 64, "captions": 5, "seed": 0}
_SHARE = 5  # `test` and `unseen` have a fifth of the rows each
_MOST_ROWS = 1 << 20


def load_scenes(options: str = "", split: str = "train", limit: int | None = None) -> "SceneSamples":
    """The scenes of a split.

    Args:
        options: `rows=10000,size=64,captions=5,seed=0`, each of which may be left out: rows of `train`, the side of an
            image in pixels, captions of an image.
        split: `train`; `test`, of the same combinations of colour and shape; `unseen`, of those that neither has.
        limit: The first so many rows.

    Raises:
        DataError: No such split.
        InputError: An option that cannot be used.
    """
    if split not in SPLITS:
        raise DataError(f"scenes has the splits {', '.join(SPLITS)}, got {split!r}", "Use one of these with --split")
    numbers = whole_options("scenes", options, DEFAULTS)
    for name, least, most in (
        ("rows", _SHARE, _MOST_ROWS),
        ("size", LEAST_SIZE, MOST_SIZE),
        ("captions", 1, len(TEMPLATES)),
    ):
        if not least <= numbers[name] <= most:
            message = f"scenes:{options}: expected {name} from {least} to {most}, got {numbers[name]}"
            raise InputError(message, "Give another number")
    rows = numbers["rows"] if split == "train" else numbers["rows"] // _SHARE
    return SceneSamples(numbers, split, min(rows, limit or rows))


class SceneSamples:
    """Scenes that are rendered whenever they are read; identity "array".

    Args:
        options: Those of DEFAULTS.
        split: One of SPLITS.
        rows: The first so many rows.
    """

    identity: Identity = "array"

    def __init__(self, options: dict[str, int], split: str, rows: int) -> None:
        allowed = tuple(label for label in range(len(COMBINATIONS)) if is_unseen(label) == (split == "unseen"))
        self._drawn = Drawn(seed=options["seed"], split=SPLITS.index(split), rows=rows, labels=allowed)
        self._size = options["size"]
        self.rows = rows
        self.labels = self._drawn.all_labels()
        self.class_names = tuple(f"{colour} {shape}" for colour, shape in COMBINATIONS)
        self.classes = len(COMBINATIONS)
        given = ",".join(f"{name}={value}" for name, value in options.items() if value != DEFAULTS[name])
        source = f"scenes:{given}" if given else "scenes"
        self.description: JsonObject = {"source": source, "split": split, "rows": rows}
        self.captions = SceneCaptions(self._drawn, options["captions"], self.description)
        self.prompts = class_prompts()

    def decode(self, row: int) -> NDArray[np.uint8]:
        """See Samples.decode; never gives no image."""
        words = self._drawn.words([row], range(GRAIN + noise_counters(self._size)))[0]
        scene, objects, grain = np.split(words, [4 * SCENE.stop, 4 * OBJECTS.stop])
        return render(self._drawn.scene(scene), self._size, Draws(objects.tolist()), grain)

    def digest(self, row: int) -> int:
        """See Samples.digest."""
        return digest_array(self.decode(row))

    def scene(self, row: int) -> Scene:
        """What a row shows."""
        return self._drawn.scene(self._drawn.words([row], SCENE)[0])


class SceneCaptions:
    """The captions of scenes: of each row by so many different templates.

    Args:
        drawn: The rows.
        most: Captions a row, at most as many as there are templates.
        description: Of the scenes.
    """

    def __init__(self, drawn: Drawn, most: int, description: JsonObject) -> None:
        self._drawn, self.most, self.rows = drawn, most, drawn.rows
        self.counts = np.full(drawn.rows, most, np.int32)
        self.description: JsonObject = {**description, "captions": most}

    def texts(self, rows: Sequence[int] | NDArray[np.integer]) -> list[list[str]]:
        """See Captions.texts; every row has `most`, each another."""
        parts = (self._drawn.words(rows, counters) for counters in (SCENE, ORDER, TEXTS))
        return [self._of(self._drawn.scene(scene), order, words) for scene, order, words in zip(*parts, strict=True)]

    def _of(self, scene: Scene, order: Words, words: Words) -> list[str]:
        draws, left = Draws(order.tolist()), list(range(len(TEMPLATES)))
        chosen = [left.pop(draws.below(len(left))) for _ in range(self.most)]
        own = words.reshape(len(TEMPLATES), DRAWS)[: self.most].tolist()
        return [caption(scene, template, Draws(drawn)) for template, drawn in zip(chosen, own, strict=True)]

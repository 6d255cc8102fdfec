"""The built-in scenes: what the pixels show and what the captions say is what was drawn, everywhere the same bytes."""

import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from openkit import refuse
from PIL import Image, ImageDraw

from teachonce.data.captions import CaptionedSamples, PromptedSamples, text_digest
from teachonce.data.open import open_samples
from teachonce.data.scenes import load_scenes
from teachonce.data.scenes.words import PLACE_WORDS, TEMPLATES
from teachonce.data.scenes.world import CELLS, Scene
from teachonce.errors import DataError, InputError

RED_TO_PINK = {
    "red": (215, 40, 40), "orange": (245, 140, 25), "yellow": (240, 225, 45), "green": (40, 165, 60),
    "cyan": (45, 200, 215), "blue": (45, 70, 220), "purple": (135, 50, 190), "pink": (250, 135, 190),
}  # fmt: skip
SAID = {
    "red": "red|crimson|scarlet", "orange": "orange|tangerine", "yellow": "yellow", "green": "green|emerald",
    "cyan": "cyan|turquoise", "blue": "blue|cobalt", "purple": "purple|violet", "pink": "pink|rose",
}  # fmt: skip
FORMS = {
    "circle": "circle|disc", "ring": "ring|hoop", "square": "square|box", "triangle": "triangle|wedge",
    "cross": "cross|plus sign", "star": "star",
}  # fmt: skip
SIZES = {True: "large|big", False: "small|little"}
EVERYWHERE = re.compile("|".join(phrase for phrases in PLACE_WORDS.values() for phrase in phrases))
NUMBERS = {1: "an?|one|a single", 2: "two|a couple of", 3: "three", 4: "four"}


def objects(image: np.ndarray) -> Iterator[np.ndarray]:
    """The pixels of each coloured object, bool (H, W): connected, and far from grey."""
    left = np.ptp(image.astype(int), axis=2) > 45
    while left.any():
        found = np.zeros_like(left)
        found[tuple(np.argwhere(left)[0])] = True
        size = 0
        while size != found.sum():
            size = int(found.sum())
            padded = np.pad(found, 1)
            found |= left & (padded[2:, 1:-1] | padded[:-2, 1:-1] | padded[1:-1, 2:] | padded[1:-1, :-2])
        left &= ~found
        if size > 6:  # fewer: a tip that the grain has cut off
            yield found


def shape_of(mask: np.ndarray) -> str:
    """The shape of an object, from how it fills its box."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = box.shape
    if not box[height // 2, width // 2]:
        return "ring"
    share, bottom = box.mean(), box[int(0.93 * height)]
    if share > 0.9:
        return "square"
    if share > 0.7:
        return "circle"
    if bottom.mean() > 0.8:
        return "triangle"
    return "cross" if bottom[width // 2] else "star"


@pytest.mark.parametrize("split", ["train", "unseen"])
@pytest.mark.parametrize("size", [64, 200])
def test_the_pixels_show_the_scene(split: str, size: int):
    samples = load_scenes(f"size={size}", split, limit=60)
    for row in range(samples.rows):
        scene, image = samples.scene(row), samples.decode(row)
        assert image.dtype == np.uint8
        assert image.shape == (size, size, 3)
        found = list(objects(image))
        assert sorted(cell_of(mask) for mask in found) == list(scene.cells)
        colours = {nearest(np.median(image[mask], axis=0)) for mask in found}
        assert colours == {scene.colour}
        if size > 64:
            assert {shape_of(mask) for mask in found} == {scene.shape}, (row, scene)
        radius = max(np.ptp(np.argwhere(mask)[:, 1]) for mask in found) / size
        assert (radius > 0.21) == scene.large
        assert samples.class_names[samples.labels[row]] == f"{scene.colour} {scene.shape}"


def cell_of(mask: np.ndarray) -> int:
    y, x = np.argwhere(mask).mean(0) * 3 // len(mask)
    return int(3 * y + x)


def nearest(colour: np.ndarray) -> str:
    return min(RED_TO_PINK, key=lambda name: float(np.abs(colour - RED_TO_PINK[name]).sum()))


def test_the_extra_object_is_where_it_is_said():
    samples = load_scenes(limit=200)
    for row in range(samples.rows):
        scene, image = samples.scene(row), samples.decode(row).astype(int)
        dark, light = image.max(2) < 45, image.min(2) > 220
        tones = {"black": dark.sum(), "white": light.sum()}
        if scene.extra is None:
            assert max(tones.values()) < 4
        else:
            assert cell_of(dark if scene.extra.tone == "black" else light) == scene.extra.cell


def test_places_are_called_by_their_sides():
    sides = {"top": "top|upper", "bottom": "bottom|lower", "left": "left", "right": "right", "middle": "middle"}
    for place, phrases in PLACE_WORDS.items():
        kind, _, name = place.partition(" ") if place.startswith(("row", "column")) else ("", "", place)
        expected = {"middle"} if name == "centre" else set(name.split())
        for phrase in phrases:
            assert {side for side in sides if says(phrase.replace("centre", "middle"), sides[side])} == expected, phrase
            assert bool(says(phrase, "row|along|across")) == (kind == "row"), phrase
            assert bool(says(phrase, "column|down")) == (kind == "column"), phrase
    assert [CELLS[cell] for cell in (0, 2, 3, 4, 7)] == ["top left", "top right", "left", "centre", "bottom"]


def says(text: str, words: str) -> bool:
    return re.search(rf"\b(?:{words})(?:e?s)?\b", text) is not None


def check_caption(text: str, scene: Scene) -> None:
    """A caption says nothing else than what the scene has."""
    own, tones = text, ()
    if scene.extra is not None:
        places = "|".join(PLACE_WORDS[CELLS[scene.extra.cell]])
        tones = re.findall(rf"a {scene.extra.tone} (?:five-pointed )?(?:{FORMS[scene.extra.shape]}) (?:{places})", text)
        own = text.replace(tones[0], "") if tones else text
    assert bool(tones) == ("black" in text or "white" in text)
    assert {colour for colour in SAID if says(own, SAID[colour])} == {scene.colour}, text
    assert {shape for shape in FORMS if says(own, FORMS[shape])} == {scene.shape}, text
    assert not any(says(own, NUMBERS[count]) for count in (2, 3, 4) if count != len(scene.cells)), text
    assert set(re.findall(EVERYWHERE, own)) <= set(PLACE_WORDS[scene.place]), text
    assert not says(text, SIZES[not scene.large]), text
    grounds = {"dark": "dark", "grey": "medium grey|a grey", "light": "light"}
    assert not any(says(text, words) for name, words in grounds.items() if name != scene.ground), text


@pytest.mark.parametrize("split", ["train", "test", "unseen"])
def test_captions_say_what_is_to_be_seen(split: str):
    samples = load_scenes(f"captions={len(TEMPLATES)}", split, limit=300)
    for row, texts in enumerate(samples.captions.texts(range(samples.rows))):
        assert len(set(texts)) == len(texts) == len(TEMPLATES)
        for text in texts:
            check_caption(text, samples.scene(row))
            assert not re.search(r"[{}]|\s\s|\ba [aeio]|\ban [^aeio]", text), text
        scene = samples.scene(row)
        counted = [text for text in texts if says(text, NUMBERS[len(scene.cells)])]
        placed = [text for text in texts if any(words in text for words in PLACE_WORDS[scene.place])]
        assert len(counted) >= len(texts) - 1
        assert len(placed) == len(texts) - 2
        assert len([text for text in texts if says(text, SIZES[scene.large])]) > 4
        assert len([text for text in texts if scene.extra and scene.extra.tone in text]) == (7 if scene.extra else 0)


def test_captions_have_synonyms_and_several_orders():
    texts = [text for own in load_scenes().captions.texts(range(400)) for text in own]
    for words in (*SAID.values(), *FORMS.values(), "large|big", "small|little", *(NUMBERS[count] for count in (1, 2))):
        for word in words.split("|"):
            assert any(re.search(rf"\b{word}(?:e?s)?\b", text) for text in texts), word
    starts = {text.split(" ")[0] for text in texts}
    assert {"there", "we", "a", "two", "small", "in", "on", "against", "down", "along"} <= starts
    assert len(set(texts)) > 0.9 * len(texts)


def test_unseen_combinations_occur_nowhere_else():
    train, test, unseen = (load_scenes(split=split) for split in ("train", "test", "unseen"))
    assert (train.rows, test.rows, unseen.rows) == (10_000, 2_000, 2_000)
    seen, held_out = set(train.labels.tolist()), set(unseen.labels.tolist())
    assert set(test.labels.tolist()) == seen
    assert not seen & held_out
    assert len(held_out) * 3 == len(seen) == 36
    assert train.classes == len(train.class_names) == len(seen | held_out)
    for part in (0, 1):  # every colour and every shape is among both
        words = [{train.class_names[label].split()[part] for label in labels} for labels in (seen, held_out)]
        assert words[0] == words[1]
    assert np.bincount(train.labels)[sorted(seen)].min() > 200
    assert not {train.digest(row) for row in range(200)} & {test.digest(row) for row in range(200)}


def test_prompts_name_their_class():
    samples = load_scenes(limit=1)
    assert isinstance(samples, CaptionedSamples)
    assert isinstance(samples, PromptedSamples)
    assert len(samples.prompts) == samples.classes == len({prompts[0] for prompts in samples.prompts})
    for name, prompts in zip(samples.class_names, samples.prompts, strict=True):
        assert len(set(prompts)) == len(prompts) > 1
        assert all(name in prompt for prompt in prompts)
    assert samples.prompts[6] == (
        "an orange circle",
        "two orange circles",
        "three orange circles",
        "four orange circles",
    )
    assert samples.prompts[-2][2] == "three pink crosses"


@pytest.mark.parametrize(
    ("options", "split", "digests", "text"),
    [
        ("", "train", [13360092996211497778, 10187739186596629500, 5598606873813646952], 760958477099392928),
        (
            "size=32,captions=2",
            "train",
            [1090864087427492707, 17561094869665886138, 5431159632115065483],
            5078004756126845771,
        ),
        ("seed=7", "test", [11506094501416522951, 1148437510690646498, 14430314564744137567], 14828911940298911913),
        (
            "rows=50,size=100",
            "unseen",
            [9296741593055386754, 14643922662464779901, 16048341120201899974],
            22304694147253574,
        ),
    ],
)
def test_rows_are_the_same_everywhere(options: str, split: str, digests: list[int], text: int):
    samples = load_scenes(options, split)
    assert [samples.digest(row) for row in (0, 3, 9)] == digests
    assert text_digest("\n".join(text for own in samples.captions.texts([9, 0, 3]) for text in own)) == text


def test_a_row_depends_on_seed_split_and_number_alone():
    samples, fewer, more = load_scenes(), load_scenes(limit=20), load_scenes("rows=20000,captions=3")
    assert fewer.rows == 20
    for row in (0, 7, 19):
        assert samples.digest(row) == fewer.digest(row) == more.digest(row)
        assert samples.captions.texts([row])[0][:3] == more.captions.texts([row])[0]
    assert samples.labels[:20].tolist() == fewer.labels.tolist() == [samples.scene(row).label for row in range(20)]
    assert fewer.captions.texts([7, 0, 7]) == [fewer.captions.texts([row])[0] for row in (7, 0, 7)]
    assert pickle.loads(pickle.dumps(samples)).digest(5) == samples.digest(5)  # noqa: S301
    assert samples.digest(0) != load_scenes("seed=1").digest(0)


@pytest.mark.parametrize("row", [-1, 20])
def test_a_row_that_is_not_there_is_refused(row: int):
    samples = load_scenes(limit=20)
    for read in (samples.decode, samples.digest, samples.scene, lambda row: samples.captions.texts([0, row])):
        with pytest.raises(DataError, match=str(row)):
            read(row)


def test_scenes_are_opened_by_name():
    samples = open_samples("scenes:size=32,seed=3", prefer="test", limit=5)
    assert samples.identity == "array"
    assert samples.description == {"source": "scenes:size=32,seed=3", "split": "test", "rows": 5}
    assert open_samples(str(samples.description["source"]), split="test").digest(4) == samples.digest(4)
    assert open_samples("scenes").description["source"] == "scenes"
    assert isinstance(samples, CaptionedSamples)
    assert samples.captions is not None
    assert samples.captions.most == 5


def test_wrong_options_are_refused():
    refuse("scenes", "train, test, unseen", "'valid'", split="valid")
    refuse("scenes:sise=32", "did you mean size?", error=InputError)
    refuse("scenes:size=big", "'size=big'", error=InputError)
    refuse("scenes:size=16", "32", "16", error=InputError)
    refuse("scenes:captions=0", "captions", error=InputError)
    refuse("scenes:rows=4", "rows", error=InputError)
    refuse("digits:size=16", "no options")


def test_a_sheet_of_scenes_can_be_looked_at(tmp_path: Path):
    """For eyes: each image above its captions, in sheet.png of the test's folder."""
    samples = load_scenes("captions=3", limit=24)
    sheet = Image.new("RGB", (4 * 470, 6 * 190), "white")
    pen = ImageDraw.Draw(sheet)
    for row, texts in enumerate(samples.captions.texts(range(samples.rows))):
        x, y = row % 4 * 470 + 5, row // 4 * 190 + 5
        sheet.paste(Image.fromarray(samples.decode(row)).resize((128, 128), Image.Resampling.NEAREST), (x, y))
        for line, text in enumerate(texts):
            pen.text((x, y + 132 + 16 * line), text[:76], fill="black")
    sheet.save(tmp_path / "sheet.png")
    assert len(np.unique(np.asarray(sheet).reshape(-1, 3), axis=0)) > 1000

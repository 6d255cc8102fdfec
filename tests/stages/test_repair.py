"""Damaged stores are mended to the bytes of the undisturbed one, and the teacher sees the rows of bad blocks only."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedding import BLOCK, Wrapped, digits, options, snapshot, teacher
from torch import Tensor

from teachonce.cache import open_store
from teachonce.cache.audit import find_problems
from teachonce.errors import StoreError
from teachonce.models import Signal
from teachonce.stages.embed import EmbedResult, embed
from teachonce.stages.rdm import rdm

ROWS = 300
VIEWS = {"views": 2, "augment": "crop=0.5,flip"}


class Counted(Wrapped):
    """A teacher that counts the rows that it sees."""

    def __init__(self, seed: int = 0) -> None:
        self.rows = 0
        super().__init__(teacher(seed), self._count)

    def _count(self, pixels: Tensor, signal: Signal) -> Signal:
        self.rows += len(pixels)
        return signal


def run(path: Path, model: Wrapped, **changes: object) -> EmbedResult:
    return embed(teacher=model, data=digits(ROWS), **options(path, **VIEWS, **changes))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "s.zarr"
    run(path, Counted())
    return path


@pytest.fixture
def store(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "s.zarr"))


def flip(file: Path, bit: int) -> None:
    data = bytearray(file.read_bytes())
    data[bit // 8 % len(data)] ^= 1 << bit % 8
    file.write_bytes(data)


def mended(store: Path, sound: Path) -> int:
    """Repair, compare, and say how many rows of a view the teacher saw."""
    model = Counted()
    assert run(store, model, repair=True).sealed
    assert snapshot(store) == snapshot(sound)
    assert open_store(store).verify() == ["teacher"]
    return model.rows // 2


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("targets/teacher/image_embedding/c/2/1/0", BLOCK),
        ("targets/teacher/logits/c/4/0/0", ROWS - 4 * BLOCK),
        ("targets/teacher/status/c/0", BLOCK),
        ("journal/teacher/000001.json", BLOCK),
        ("targets/teacher/head/weight/c/0/0", 0),
        ("classes/teacher/mean/c/0/0", 0),
        ("samples/label/c/3", 0),
        ("views/params/c/1/0/0", 0),
        ("journal/samples/000002.json", 0),
        ("zarr.json", 0),
        ("samples/zarr.json", 0),
        ("targets/teacher/zarr.json", 0),
        ("targets/teacher/logits/zarr.json", 0),
        ("views/zarr.json", 0),
        ("journal/zarr.json", 0),
    ],
)
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_only_what_is_damaged_is_made_again(store: Path, sound: Path, name: str, rows: int, damage: str):
    file = store / name
    if damage == "flip":
        flip(file, 8 * (file.stat().st_size // 2) + 3)
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:-2])
    else:
        file.unlink()
    if damage == "gone" and name == "targets/teacher/zarr.json":
        rows = ROWS  # nothing is left that proves whose blocks they are
    assert [problem.file for problem in find_problems(store)] != []
    assert mended(store, sound) == rows


def damages(seed: int, count: int) -> Iterator[tuple[str, str, int]]:
    drawn = random.Random(seed)
    places = ["journal", "samples", "views", "targets", "classes"]
    for _ in range(count):
        yield (
            drawn.choice(["flip", "cut", "gone"]),
            drawn.choice(places),
            drawn.randrange(1 << 30),
        )


@pytest.mark.parametrize(("damage", "place", "number"), list(damages(11, 12)))
def test_any_file(store: Path, sound: Path, damage: str, place: str, number: int):
    files = [file for file in sorted((store / place).rglob("*")) if file.is_file() and file.stat().st_size]
    file = files[number % len(files)]
    if damage == "flip":
        flip(file, number)
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    else:
        file.unlink()
    mended(store, sound)


def test_what_the_seal_says_of_the_root_is_damaged(store: Path, sound: Path):
    """Not the root: it is what the same options give."""
    file = store / "samples/zarr.json"
    data = bytearray(file.read_bytes())
    place = data.index(b'"root"') + 10
    data[place] = ord("0") if data[place] != ord("0") else ord("1")
    file.write_bytes(data)
    assert mended(store, sound) == 0


def test_a_root_of_other_views_is_not_taken_over(store: Path):
    """It is what the options give, but not what was sealed."""
    file = store / "zarr.json"
    text = file.read_text().replace('"crop": 0.5', '"crop": 0.4')
    assert text != file.read_text()
    file.write_text(text)
    before = snapshot(store)
    with pytest.raises(StoreError) as caught:
        embed(teacher=Counted(), data=digits(ROWS), **options(store, views=2, augment="crop=0.4,flip", repair=True))
    assert caught.value.kind == "corrupt"
    assert snapshot(store) == before


def test_several_at_once(store: Path, sound: Path):
    for name in ("image_embedding/c/0/0/0", "image_embedding/c/3/1/0", "logits/c/3/0/0"):
        flip(store / "targets/teacher" / name, 5)
    (store / "journal/teacher/000004.json").unlink()
    flip(store / "samples/digest/c/1", 9)
    assert mended(store, sound) == 2 * BLOCK + ROWS - 4 * BLOCK


def test_a_store_that_was_not_sealed_yet(sound: Path, tmp_path: Path):
    """A bit flips between two calls of which the first was interrupted."""
    path = tmp_path / "s.zarr"
    run(path, Counted(), blocks="0:3")
    flip(path / "targets/teacher/image_embedding/c/1/0/0", 77)
    model = Counted()
    with pytest.raises(StoreError) as caught:
        run(path, model)
    assert caught.value.kind == "corrupt"
    assert "--repair" in caught.value.mend
    assert mended(path, sound) == BLOCK


def test_nothing_to_mend(store: Path, sound: Path):
    assert mended(store, sound) == 0


def test_a_new_store(sound: Path, tmp_path: Path):
    assert mended(tmp_path / "s.zarr", sound) == ROWS


@pytest.mark.parametrize("name", ["targets/teacher/logits/c/2/0/0", "journal/teacher/000001.json", "samples/zarr.json"])
def test_another_teacher_does_not_mend(store: Path, name: str):
    flip(store / name, 99)
    before = snapshot(store / "targets")
    with pytest.raises(StoreError) as caught:
        run(store, Counted(seed=1), repair=True)
    assert caught.value.kind == "mismatch"
    assert snapshot(store / "targets") == before


def test_without_repair_the_command_says_what_to_do(store: Path):
    """A record is lost, or a chunk: it is not called complete."""
    for name in ("journal/teacher/000002.json", "targets/teacher/logits/c/2/0/0", "samples/status/c/1"):
        kept = (store / name).read_bytes()
        (store / name).unlink()
        with pytest.raises(StoreError) as caught:
            run(store, Counted())
        assert caught.value.kind == "corrupt"
        assert "--repair" in caught.value.mend
        (store / name).write_bytes(kept)
    assert run(store, Counted()).reused_blocks == 5


@pytest.fixture(scope="module")
def sound_rdm(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = Path(shutil.copytree(sound, tmp_path_factory.mktemp("rdm") / "s.zarr"))
    rdm(store=path, distortion_weight=50, epochs=1, device="cpu")
    return path


class TestRdm:
    @pytest.mark.parametrize(
        "name",
        [
            "targets/rdm-50/image_embedding/c/1/0/0", "targets/rdm-50/logits/c/4/1/0", "targets/rdm-50/status/c/2",
            "journal/rdm-50/000003.json", "classes/rdm-50/count/c/0", "targets/rdm-50/logits/zarr.json",
            "targets/rdm-50/head/bias/c/0",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("damage", ["flip", "gone"])
    def test_bad_blocks_are_written_again_by_the_stored_weights(
        self, sound_rdm: Path, tmp_path: Path, name: str, damage: str
    ):
        path = Path(shutil.copytree(sound_rdm, tmp_path / "s.zarr"))
        flip(path / name, 123) if damage == "flip" else (path / name).unlink()
        assert list(find_problems(path))
        done = rdm(store=path, distortion_weight=50, epochs=1, device="cpu", repair=True)
        assert done.seconds == 0  # nothing was trained
        assert snapshot(path) == snapshot(sound_rdm)

    @pytest.mark.parametrize("name", ["targets/rdm-50/weights/c/0", "targets/rdm-50/zarr.json"])
    def test_what_has_to_be_trained_anew(self, sound_rdm: Path, tmp_path: Path, name: str):
        path = Path(shutil.copytree(sound_rdm, tmp_path / "s.zarr"))
        flip(path / name, 12345)
        with pytest.raises(StoreError) as caught:
            rdm(store=path, distortion_weight=50, epochs=1, device="cpu", repair=True)
        assert caught.value.kind == "corrupt"
        for folder in ("targets", "journal", "classes"):
            shutil.rmtree(path / folder / "rdm-50")
        rdm(store=path, distortion_weight=50, epochs=1, device="cpu")
        assert snapshot(path) == snapshot(sound_rdm)

"""Damaged stores are mended to the bytes of the undisturbed one, and the teacher sees the rows of bad blocks only."""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from embedding import BLOCK, Wrapped, digits, interrupted, options, snapshot, teacher
from torch import Tensor

from teachonce.cache import SamplesWriter, open_store
from teachonce.cache.audit import find_problems
from teachonce.cache.repair import repair_samples
from teachonce.data.samples import ArraySamples
from teachonce.errors import StoreError
from teachonce.models import Signals
from teachonce.stages.embed import EmbedResult, embed
from teachonce.stages.rdm import RdmResult, rdm
from tests.drawn import WHOLE, some

ROWS, BLOCKS = 172, 3
VIEWS = {"views": 2, "augment": "crop=0.5,flip"}


class Counted(Wrapped):
    """A teacher that counts the rows that it sees."""

    def __init__(self, seed: int = 0) -> None:
        self.rows = 0
        super().__init__(teacher(seed), self._count)

    def _count(self, pixels: Tensor, signal: Signals) -> Signals:
        self.rows += len(pixels)
        return signal


def run(path: Path, model: Wrapped, data: Any = None, **changes: Any) -> EmbedResult:
    settings = options(path, **(VIEWS | changes))
    return embed(teacher=model, data=digits(ROWS) if data is None else data, **settings)


def edited(row: int) -> ArraySamples:
    """The digits, of which one is another image now."""
    images = [image.copy() for image in digits(ROWS).images]
    images[row][0, 0] ^= 1
    return ArraySamples(images, digits(ROWS).labels, digits(ROWS).class_names, digits(ROWS).description)


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


def fails(kind: str, call: Callable[..., Any], *args: Any, **options: Any) -> StoreError:
    """The error that a call ends in."""
    with pytest.raises(StoreError) as caught:
        call(*args, **options)
    assert caught.value.kind == kind
    return caught.value


def refused(store: Path, kind: str, model: Wrapped | None = None, **changes: Any) -> None:
    """A repair that changes nothing."""
    before = snapshot(store)
    fails(kind, run, store, model or Counted(), repair=True, **changes)
    assert snapshot(store) == before


def mended(store: Path, sound: Path) -> int:
    """Repair, compare, and say how many rows of a view the teacher saw."""
    model = Counted()
    assert run(store, model, repair=True).sealed
    assert snapshot(store) == snapshot(sound)
    assert open_store(store).verify() == ["teacher"]
    return model.rows // 2


DAMAGES = ("flip", "cut", "gone")
DAMAGED = {
    "targets/teacher/image_embedding/c/1/1/0": BLOCK,
    "targets/teacher/logits/c/2/0/0": ROWS - 2 * BLOCK,
    "targets/teacher/status/c/0": BLOCK,
    "journal/teacher/000001.json": BLOCK,
    "targets/teacher/head/weight/c/0/0": 0,
    "classes/teacher/mean/c/0/0": 0,
    "samples/label/c/2": 0,
    "views/params/c/1/0/0": 0,
    "journal/samples/000002.json": 0,
    "zarr.json": 0,
    "samples/zarr.json": 0,
    "targets/teacher/zarr.json": 0,
    "targets/teacher/logits/zarr.json": 0,
    "views/zarr.json": 0,
    "journal/zarr.json": 0,
}
"""Files, and how many rows the teacher sees again where they are damaged."""


@pytest.mark.parametrize(
    ("name", "damage"),
    [(name, DAMAGES[(at + turn) % 3]) for at, name in enumerate(DAMAGED) for turn in range(3 if WHOLE else 1)],
)
def test_only_what_is_damaged_is_made_again(store: Path, sound: Path, name: str, damage: str):
    file = store / name
    if damage == "flip":
        flip(file, 8 * (file.stat().st_size // 2) + 3)
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:-2])
    else:
        file.unlink()
    if damage == "gone" and name == "targets/teacher/zarr.json":  # nothing is left that proves whose blocks they are
        refused(store, "corrupt")
        return
    assert [problem.file for problem in find_problems(store)] != []
    assert mended(store, sound) == DAMAGED[name]


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
    text = file.read_text().replace('"crop": 0.5', '"crop": 0.8')
    assert text != file.read_text()
    file.write_text(text)
    refused(store, "corrupt", augment="crop=0.8,flip")


def test_several_at_once(store: Path, sound: Path):
    for name in ("image_embedding/c/0/0/0", "image_embedding/c/1/1/0", "logits/c/1/0/0"):
        flip(store / "targets/teacher" / name, 5)
    (store / "journal/teacher/000002.json").unlink()
    flip(store / "samples/digest/c/1", 9)
    assert mended(store, sound) == ROWS


def test_a_store_that_was_not_sealed_yet(sound: Path, tmp_path: Path):
    """A bit flips between two calls of which the first was interrupted."""
    path = tmp_path / "s.zarr"
    run(path, Counted(), blocks="0:2")
    flip(path / "targets/teacher/image_embedding/c/1/0/0", 77)
    assert "--repair" in fails("corrupt", run, path, Counted()).mend
    assert mended(path, sound) == BLOCK


def test_nothing_to_mend(store: Path, sound: Path):
    assert mended(store, sound) == 0


@pytest.mark.parametrize("wrong", [{"store": "typo.zarr"}, {"name": "techer"}])
def test_there_is_nothing_to_repair(store: Path, tmp_path: Path, wrong: dict[str, str]):
    model, before, wrong = Counted(), snapshot(tmp_path), dict(wrong)
    fails("missing", run, tmp_path / wrong.pop("store", "s.zarr"), model, repair=True, **wrong)
    assert (model.rows, snapshot(tmp_path)) == (0, before)


@pytest.mark.parametrize("name", ["targets/teacher/logits/c/2/0/0", "journal/teacher/000001.json", "samples/zarr.json"])
def test_another_teacher_does_not_mend(store: Path, name: str):
    flip(store / name, 99)
    before = snapshot(store / "targets")
    fails("mismatch", run, store, Counted(seed=1), repair=True)
    assert snapshot(store / "targets") == before


def test_without_repair_the_command_says_what_to_do(store: Path):
    """A record is lost, or a chunk: it is not called complete."""
    for name in ("journal/teacher/000002.json", "targets/teacher/logits/c/2/0/0", "samples/status/c/1"):
        kept = (store / name).read_bytes()
        (store / name).unlink()
        assert "--repair" in fails("corrupt", run, store, Counted()).mend
        (store / name).write_bytes(kept)
    assert run(store, Counted()).reused_blocks == BLOCKS


class TestWhatIsNotTheSame:
    """The data, the settings or the machine differ from those of the first run."""

    def test_an_image_of_a_bad_sample_block_was_edited(self, store: Path, sound: Path):
        flip(store / "samples/digest/c/1", 70)
        fails("mismatch", run, store, Counted(), data=edited(70), repair=True)
        with pytest.raises(StoreError):
            open_store(store).target("teacher")
        assert mended(store, sound) == 0  # with the data as it was nothing is lost

    def test_and_the_process_was_killed_before_it_was_noticed(
        self, store: Path, sound: Path, monkeypatch: pytest.MonkeyPatch
    ):
        flip(store / "samples/digest/c/1", 70)
        monkeypatch.setattr(SamplesWriter, "seal", lambda *_: interrupted())
        with pytest.raises(KeyboardInterrupt):
            run(store, Counted(), data=edited(70), repair=True)
        monkeypatch.undo()
        assert mended(store, sound) == 0

    def test_a_lost_sample_block_of_an_unsealed_store(self, tmp_path: Path):
        """Its target's block is of the image that was there then."""
        path, fresh = tmp_path / "s.zarr", tmp_path / "fresh.zarr"
        run(path, Counted(), blocks="0:2")
        (path / "journal/samples/000001.json").unlink()
        model = Counted()
        assert run(path, model, data=edited(70)).sealed
        assert model.rows // 2 == ROWS - BLOCK
        run(fresh, Counted(), data=edited(70))
        assert snapshot(path) == snapshot(fresh)

    @pytest.mark.parametrize(
        "changes", [{"precision": "bf16"}, {"batch_size": 16}, {"dtype": "float32"}, {"seed": 3}, {"views": 3}], ids=str
    )
    def test_other_settings_are_refused(self, store: Path, sound: Path, changes: dict[str, Any]):
        flip(store / "targets/teacher/logits/c/1/1/0", 44)
        refused(store, "mismatch", **changes)
        assert mended(store, sound) == BLOCK

    def test_another_rule_of_class_means_is_no_repair(self, store: Path, sound: Path):
        flip(store / "targets/teacher/logits/c/1/1/0", 44)
        run(store, Counted(), repair=True, per_class=3)
        assert snapshot(store) == snapshot(sound)


class TestDocuments:
    @pytest.mark.parametrize("name", ["zarr.json", "samples/zarr.json", "targets/teacher/zarr.json"])
    def test_one_bit_anywhere_is_put_back(self, store: Path, sound: Path, name: str):
        size = (store / name).stat().st_size
        for bit in random.Random(name).sample(range(8 * size), 12 if WHOLE else 3):
            flip(store / name, bit)
            assert list(find_problems(store))
            assert mended(store, sound) == 0

    def test_the_digest_of_the_root_itself(self, store: Path, sound: Path):
        place = (store / "samples/zarr.json").read_bytes().index(b'"root": "') + 12
        for bit in some(range(8 * place, 8 * place + 8), 3, "root"):
            flip(store / "samples/zarr.json", bit)
            assert mended(store, sound) == 0

    @pytest.mark.parametrize("name", ["samples/zarr.json", "targets/teacher/zarr.json"])
    def test_what_is_not_sealed_yet_is_not_sealed_damaged(self, sound: Path, tmp_path: Path, name: str):
        """No flip in a document of a store that is under way ends as a sealed store of other bytes."""
        path = tmp_path / "s.zarr"
        run(path, Counted(), blocks="0:2")
        whole = snapshot(path)
        size = len(whole[name])
        for bit in random.Random(name).sample(range(8 * size), 50 if WHOLE else 10):
            shutil.rmtree(path)
            for file, data in whole.items():
                (path / file).parent.mkdir(parents=True, exist_ok=True)
                (path / file).write_bytes(data)
            flip(path / name, bit)
            with suppress(StoreError):
                run(path, Counted())
                assert snapshot(path) == snapshot(sound)

    @pytest.mark.parametrize(
        "name",
        ["views/params/c/1/0/0", "targets/teacher/status/c/0", "targets/teacher/logits/c/1/1/0", "samples/label/c/0"],
    )
    def test_chunks_that_flipped_before_the_seal_are_not_sealed(self, sound: Path, tmp_path: Path, name: str):
        path = tmp_path / "s.zarr"
        run(path, Counted(), blocks="0:2")
        flip(path / name, 100)
        fails("corrupt", run, path, Counted())
        mended(path, sound)

    @pytest.mark.parametrize(
        "name", ["zarr.json", "targets/teacher/zarr.json", "samples/label/c/1", "targets/teacher/logits/c/0/1/0",
                 "journal/teacher/000001.json", "targets/teacher/head/weight/c/0/0", "classes/teacher/count/c/0"],
    )  # fmt: skip
    @pytest.mark.parametrize("what", ["folder", "pipe"])
    def test_something_else_in_the_place_of_a_file(self, store: Path, sound: Path, name: str, what: str):
        (store / name).unlink()
        (store / name).mkdir() if what == "folder" else os.mkfifo(store / name)
        if name == "targets/teacher/zarr.json":
            with pytest.raises(StoreError):
                run(store, Counted(), repair=True)
        else:
            mended(store, sound)


def test_a_store_of_an_earlier_version_keeps_its_kind_of_seal(tmp_path: Path):
    kept = Path(__file__).parents[1] / "kept/format_1"
    shutil.copytree(kept / "store.zarr", tmp_path / "store.zarr")
    store = open_store(tmp_path / "store.zarr")
    assert "document" not in store.samples_seal
    flip(tmp_path / "store.zarr/journal/samples/000001.json", 300)
    repair_samples(store)
    assert not store.samples_sealed
    shutil.copy(kept / "store.zarr/journal/samples/000001.json", tmp_path / "store.zarr/journal/samples/000001.json")
    with SamplesWriter(store) as writer:
        writer.seal()
    assert snapshot(tmp_path / "store.zarr") == snapshot(kept / "store.zarr")


def run_rdm(path: Path, **changes: Any) -> RdmResult:
    return rdm(store=path, **({"distortion_weight": 50, "epochs": 1, "batch_size": 64, "device": "cpu"} | changes))


@pytest.fixture(scope="module")
def sound_rdm(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = Path(shutil.copytree(sound, tmp_path_factory.mktemp("rdm") / "s.zarr"))
    run_rdm(path)
    return path


class TestRdm:
    @pytest.fixture
    def store(self, sound_rdm: Path, tmp_path: Path) -> Path:
        return Path(shutil.copytree(sound_rdm, tmp_path / "s.zarr"))

    @pytest.mark.parametrize(
        "name",
        [
            "targets/rdm-50/image_embedding/c/1/0/0", "targets/rdm-50/logits/c/2/1/0", "targets/rdm-50/status/c/2",
            "journal/rdm-50/000001.json", "classes/rdm-50/count/c/0", "targets/rdm-50/logits/zarr.json",
            "targets/rdm-50/head/bias/c/0",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("damage", ["flip", "gone"])
    def test_bad_blocks_are_written_again_by_the_stored_weights(
        self, store: Path, sound_rdm: Path, name: str, damage: str
    ):
        flip(store / name, 123) if damage == "flip" else (store / name).unlink()
        assert list(find_problems(store))
        assert run_rdm(store, repair=True).seconds == 0  # nothing was trained
        assert snapshot(store) == snapshot(sound_rdm)

    def test_one_bit_of_its_document_is_put_back(self, store: Path, sound_rdm: Path):
        flip(store / "targets/rdm-50/zarr.json", 12345)
        assert run_rdm(store, repair=True).seconds == 0
        assert snapshot(store) == snapshot(sound_rdm)

    def test_other_settings_are_refused_before_anything_is_dropped(self, store: Path):
        flip(store / "targets/rdm-50/logits/c/1/0/0", 12)
        before = snapshot(store)
        fails("mismatch", run_rdm, store, lr=0.5, repair=True)
        assert snapshot(store) == before

    @pytest.mark.parametrize("name", ["targets/rdm-50/weights/c/0", "targets/rdm-50/zarr.json"])
    def test_what_has_to_be_trained_anew(self, store: Path, sound_rdm: Path, name: str):
        (store / name).unlink()
        fails("corrupt", run_rdm, store, repair=True)
        for folder in ("targets", "journal", "classes"):
            shutil.rmtree(store / folder / "rdm-50")
        run_rdm(store)
        assert snapshot(store) == snapshot(sound_rdm)

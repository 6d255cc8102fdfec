"""What was sealed once is sealed again only as it was: no block of another target, no other value, no other rule."""

import mmap
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from embedding import BLOCK, Heard, Wrapped, digits, interrupted, options, snapshot, teacher
from PIL import Image
from torch import Tensor

from teachonce.cache import open_store
from teachonce.cache.locks import BlockLock
from teachonce.cache.mark import verified_at
from teachonce.data.samples import ArraySamples
from teachonce.errors import StoreError
from teachonce.models import Signals, Teacher
from teachonce.stages.embed import EmbedResult, embed
from teachonce.stages.rdm import rdm
from teachonce.stages.verify import verify

ROWS = 200
BLOCKS = -(-ROWS // BLOCK)
VIEWS = {"views": 2, "augment": "crop=0.5,flip"}
VIEWED = 2 * 3 * BLOCK  # views; the first block is committed then
TEACHER = teacher()


class OneFails(ArraySamples):
    """Digits, of which a row is no image."""

    def decode(self, row: int) -> Any:
        if row == BLOCK + 3:
            from teachonce.data.decode import DecodeError

            raise DecodeError("truncated")
        return super().decode(row)


def data(kind: type[ArraySamples] = ArraySamples, change: int = 0) -> ArraySamples:
    found = digits(ROWS)
    images = [image ^ change for image in found.images]
    return kind(images, found.labels, found.class_names, found.description)


def run(path: Path, model: Teacher = TEACHER, given: ArraySamples | None = None, **changes: Any) -> EmbedResult:
    common = VIEWS | {"max_failed": 1} | changes
    return embed(teacher=model, data=data() if given is None else given, **options(path, **common))


def off(by: float) -> Teacher:
    """The same teacher on a machine that computes otherwise."""

    def change(pixels: Tensor, signal: Signals) -> Signals:
        signal["image_embedding"] += by
        return signal

    return Wrapped(TEACHER, change)


def copy_block(source: Path, store: Path, journal: str, block: int, arrays: list[str]) -> None:
    for array in arrays:
        place, from_ = store / array / "c" / str(block), source / array / "c" / str(block)
        shutil.copytree(from_, place, dirs_exist_ok=True) if from_.is_dir() else shutil.copyfile(from_, place)
    shutil.copyfile(source / f"journal/{journal}/{block:06}.json", store / f"journal/{journal}/{block:06}.json")


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 8
    file.write_bytes(content)


TARGET = ["targets/teacher/status", "targets/teacher/image_embedding", "targets/teacher/logits"]
SAMPLES = ["samples/digest", "samples/label", "samples/status", "views/params"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`sound` by the teacher, `other` by another one, `views` of other views, and `plain`, in which no row fails."""
    home = tmp_path_factory.mktemp("made")
    run(home / "sound", given=data(OneFails), per_class=5)
    run(home / "other", teacher(1), data(OneFails), per_class=5)
    run(home / "views", given=data(OneFails), per_class=5, seed=7)
    run(home / "plain")
    return home


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "sound", tmp_path / "s.zarr"))


def refuses(call: Callable[[], object], store: Path, kind: str) -> None:
    with pytest.raises(StoreError) as caught:
        call()
    assert caught.value.kind == kind
    with pytest.raises(StoreError):
        open_store(store).target("teacher").read("logits", digits(1).labels.astype("int64"))


@pytest.mark.parametrize("damaged", [None, "targets/teacher/logits/c/2/0/0"])
def test_a_block_of_another_teacher_is_not_sealed_by_a_repair(made: Path, store: Path, damaged: str | None):
    copy_block(made / "other", store, "teacher", 0, TARGET)
    if damaged:
        flip(store / damaged)
    for _ in range(2):
        refuses(lambda: run(store, given=data(OneFails), repair=True), store, "mismatch")
    for folder in ("targets", "journal", "classes"):
        shutil.rmtree(store / folder / "teacher")
    run(store, given=data(OneFails), per_class=5)
    assert snapshot(store) == snapshot(made / "sound")


def test_a_block_of_another_teacher_gives_no_class_means(made: Path, store: Path):
    copy_block(made / "other", store, "teacher", 0, TARGET)
    before = snapshot(store)
    refuses(lambda: run(store, given=data(OneFails), per_class=2), store, "corrupt")
    assert snapshot(store) == before


def test_other_values_of_the_same_teacher_are_not_sealed_and_do_not_stay(made: Path, store: Path):
    flip(store / "targets/teacher/image_embedding/c/1/1/0")
    refuses(lambda: run(store, off(1e-3), data(OneFails), repair=True), store, "mismatch")
    run(store, given=data(OneFails), repair=True)
    assert snapshot(store) == snapshot(made / "sound")


@pytest.mark.parametrize("block", [0, 3])
def test_a_repair_that_ended_on_another_machine_is_made_again(made: Path, store: Path, block: int):
    flip(store / f"targets/teacher/image_embedding/c/{block}/1/0")
    flip(store / "targets/teacher/image_embedding/c/2/1/0")
    with pytest.raises(StoreError):
        run(store, off(1e-3), data(OneFails), repair=True)
    with pytest.raises(StoreError) as caught:
        run(store, given=data(OneFails))  # what was computed there is not reused
    assert caught.value.kind == "mismatch"
    run(store, given=data(OneFails), repair=True)
    assert snapshot(store) == snapshot(made / "sound")


def test_another_zarr_group_is_not_written_to(tmp_path: Path):
    group = tmp_path / "s.zarr"
    (group / "samples").mkdir(parents=True)
    for folder in (group, group / "samples"):
        (folder / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group", "attributes": {"sealed": true}}')
    before = snapshot(group)
    with pytest.raises(StoreError) as caught:
        run(group, repair=True)
    assert (caught.value.kind, snapshot(group)) == ("missing", before)


def test_blocks_of_other_views_are_refused_until_all_are_made_again(made: Path, store: Path):
    copy_block(made / "views", store, "samples", 0, SAMPLES)
    for _ in range(2):
        with pytest.raises(StoreError) as caught:
            run(store, given=data(OneFails), repair=True)
        assert caught.value.kind == "mismatch"
    shutil.rmtree(store / "journal" / "samples")
    run(store, given=data(OneFails), repair=True)
    assert snapshot(store) == snapshot(made / "sound")


@pytest.mark.parametrize("sealed", [True, False])
def test_a_target_that_was_begun_elsewhere_is_not_gone_on_with(tmp_path: Path, sealed: bool):
    begun, store = tmp_path / "begun.zarr", tmp_path / "s.zarr"
    with pytest.raises(KeyboardInterrupt):
        run(begun, given=data(change=255), events=Heard(VIEWED, interrupted))
    if sealed:
        run(begun, teacher(1), data(change=255), name="first")  # seals the samples
    run(store, teacher(1), name="first")
    for folder in ("targets", "journal"):
        shutil.copytree(begun / folder / "teacher", store / folder / "teacher")
    assert list((store / "journal" / "teacher").glob("*.json"))
    with pytest.raises(StoreError) as caught:
        run(store)
    assert caught.value.kind == "mismatch"
    assert "samples" in [problem["kind"] for problem in verify(store=store).problems]


def test_a_target_that_was_begun_before_its_samples_were_sealed_goes_on(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "s.zarr", events=Heard(VIEWED, interrupted))
    run(tmp_path / "s.zarr", teacher(1), name="first")
    run(tmp_path / "s.zarr")
    run(tmp_path / "once.zarr")
    run(tmp_path / "once.zarr", teacher(1), name="first")
    assert snapshot(tmp_path / "s.zarr") == snapshot(tmp_path / "once.zarr")


def test_what_was_refused_changes_nothing(store: Path):
    flip(store / "targets/teacher/image_embedding/c/0/0/0")
    before = snapshot(store)
    with pytest.raises(StoreError) as caught:
        run(store, given=data(OneFails), per_class=2)
    assert (caught.value.kind, snapshot(store)) == ("corrupt", before)


def test_an_interrupted_repair_keeps_the_rule_of_the_class_means(made: Path, store: Path):
    flip(store / "targets/teacher/image_embedding/c/1/1/0")
    with pytest.raises(KeyboardInterrupt):
        run(store, given=data(OneFails), repair=True, events=Heard(1, interrupted))
    assert not open_store(store).record("teacher").sealed
    run(store, given=data(OneFails), repair=True)
    assert snapshot(store) == snapshot(made / "sound")


def test_what_was_sealed_is_under_a_digest_while_the_seal_is_off(store: Path):
    flip(store / "targets/teacher/image_embedding/c/1/1/0")
    with pytest.raises(KeyboardInterrupt):
        run(store, given=data(OneFails), repair=True, events=Heard(1, interrupted))
    place = store / "targets/teacher/zarr.json"
    text = place.read_text()
    assert '"per_class": 5' in text
    place.write_text(text.replace('"per_class": 5', '"per_class": 4'))
    with pytest.raises(StoreError) as caught:
        open_store(store).record("teacher")
    assert caught.value.kind == "corrupt"


def test_an_rdm_keeps_its_own_class_means(store: Path):
    settings: dict[str, Any] = {"store": store, "distortion_weight": [50.0], "epochs": 1, "batch_size": 32}
    rdm(**settings, device="cpu")
    run(store, given=data(OneFails), per_class=2)
    before = snapshot(store)
    flip(store / "targets/rdm-50/logits/c/1/0/0")
    rdm(**settings, device="cpu", repair=True)
    assert snapshot(store) == before


def test_a_repair_waits_for_no_writer_and_takes_nothing_from_it(store: Path):
    left = store / "targets/teacher/status/c/.teachonce-tmp-1-1-1"
    left.write_bytes(b"of a writer that is at work")
    lock = BlockLock(store / "journal/teacher/lock", range(1, 2))
    try:
        with pytest.raises(StoreError) as caught:
            run(store, given=data(OneFails), repair=True)
    finally:
        lock.release()
    assert caught.value.kind == "busy"
    assert left.exists()


LOST = ["journal", "targets/teacher/logits", "samples/label/c", "classes/teacher", "views", "journal/teacher"]


@pytest.mark.parametrize(
    ("lost", "instead"),
    [(lost, instead) for at, lost in enumerate(LOST) for instead in (None, ("file", "link")[at % 2])],
)
def test_whole_folders_come_back(made: Path, store: Path, lost: str, instead: str | None):
    shutil.rmtree(store / lost)
    if instead == "file":
        (store / lost).write_bytes(b"")
    elif instead == "link":
        (store / lost).symlink_to("nowhere")
    run(store, given=data(OneFails), repair=True)
    assert snapshot(store) == snapshot(made / "sound")


@pytest.mark.parametrize("count", range(0, 14, 2))
def test_a_killed_creation_is_gone_on_with(made: Path, tmp_path: Path, count: int):
    files = sorted((made / "plain").rglob("zarr.json"), key=lambda path: (len(path.parts), path))
    documents = [path for path in files[1:] if "teacher" not in path.parts]
    for path in documents[:count]:
        place = tmp_path / "s.zarr" / path.relative_to(made / "plain")
        place.parent.mkdir(parents=True)
        shutil.copyfile(path, place)
    (tmp_path / "s.zarr").mkdir(exist_ok=True)
    run(tmp_path / "s.zarr", repair=True)
    assert snapshot(tmp_path / "s.zarr") == snapshot(made / "plain")


def test_a_flipped_bit_of_the_root_of_an_unsealed_store(tmp_path: Path):
    store = tmp_path / "s.zarr"
    with pytest.raises(KeyboardInterrupt):
        run(store, events=Heard(VIEWED, interrupted))
    place = store / "zarr.json"
    right = place.read_bytes()
    place.write_bytes(right.replace(b'"identity"', b'"hdentity"'))  # one bit
    run(store, repair=True)
    assert place.read_bytes() == right


def test_a_mark_does_not_outlive_damage_that_was_found(store: Path):
    assert verify(store=store).ok
    assert verified_at(open_store(store), "teacher") is not None
    chunk = store / "targets/teacher/logits/c/0/0/0"
    with chunk.open("r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        view[100] ^= 1
    stamp = store.with_name("s.zarr.verified.json")
    assert not verify(store=store).ok
    assert not stamp.exists()


@pytest.mark.parametrize("labelled", [True, False])
def test_verify_compares_the_labels_of_rows_that_failed(store: Path, labelled: bool):
    given = data(OneFails)
    assert verify(store=store, data=given).data == "ok"
    labels = digits(ROWS).labels.copy() if labelled else None
    if labels is not None:
        labels[BLOCK + 3] += 1
    result = verify(store=store, data=OneFails(given.images, labels, given.class_names, given.description))
    assert (result.ok, result.data == "ok") == (False, False)


def test_verify_compares_the_bytes_of_files_that_failed(tmp_path: Path):
    for row, image in enumerate(digits(20).images):
        (tmp_path / "images" / str(row % 2)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "images" / str(row % 2) / f"{row:02}.png")
    broken = tmp_path / "images" / "1" / "07.png"
    broken.write_bytes(broken.read_bytes()[:40])
    given: dict[str, Any] = {"store": tmp_path / "s.zarr", "data": str(tmp_path / "images")}
    embed(teacher=TEACHER, max_failed=1, device="cpu", workers=0, **given)
    assert verify(**given).data == "ok"
    broken.write_bytes(broken.read_bytes()[:39])
    assert verify(**given).data != "ok"


@pytest.mark.parametrize("name", ["targets/teacher/head/weight/c/0/0", "classes/teacher/mean/c/0/0"])
def test_a_complete_store_is_not_called_so_over_a_damaged_part(store: Path, name: str):
    flip(store / name)
    with pytest.raises(StoreError) as caught:
        run(store, given=data(OneFails), per_class=5)
    assert caught.value.kind == "corrupt"

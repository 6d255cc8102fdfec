"""The cache in one's own loop: rows are found by content, by every way there is, or it is an error."""

import os
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

import teachonce
from teachonce.cache.seal import unseal_target
from teachonce.data.quiet import quiet
from teachonce.data.samples import ArraySamples
from teachonce.digests import digest_array, digest_bytes
from teachonce.errors import (
    CorruptError,
    DataError,
    FailedSamplesError,
    InputError,
    MismatchError,
    StoreMissingError,
    TeachonceError,
    UnsealedError,
)
from tests.data.imagekit import noise
from tests.engine.joinkit import (
    CLASSES,
    CONTENTS,
    VALUES,
    WIDTH,
    FileItems,
    GifFolder,
    ImageFolder,
    expected,
    make_store,
    write_files,
)
from tests.heard import Heard


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "s.zarr", VALUES).path


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    return write_files(tmp_path / "data", CONTENTS)


def teacher(store: Path, **options: Any) -> teachonce.CachedTeacher:
    return teachonce.CachedTeacher(store, device="cpu", **options)


def test_a_batch_of_rows_is_what_is_stored(store: Path):
    targets = teacher(store)(torch.tensor([7, 0, 7]))
    assert {key: value.shape for key, value in targets.items()} == {
        "image_embedding": (3, WIDTH),
        "logits": (3, CLASSES),
    }
    for key, value in targets.items():
        assert value.dtype == torch.float16
        assert torch.equal(value, torch.stack([expected(VALUES[row], key) for row in (7, 0, 7)]))


def test_an_item_is_what_the_dataset_gives_and_the_targets_of_its_bytes(store: Path, paths: list[str]):
    shuffled = FileItems([paths[i] for i in (5, 3, 39, 0)])
    joined = teacher(store).dataset(shuffled, files=shuffled.paths)
    assert len(joined) == 4
    item, targets = joined[2]
    assert (item[0].numpy().tobytes(), item[1]) == (VALUES[39], 2)
    assert targets.keys() == {"row", "image_embedding", "logits"}
    assert (targets["row"], targets["image_embedding"].dtype) == (39, torch.float16)
    assert torch.equal(targets["logits"], expected(VALUES[39], "logits"))
    assert joined[-1][1]["row"] == 0
    with pytest.raises(IndexError):
        joined[4]
    assert joined.rows.tolist() == [5, 3, 39, 0]


def test_default_collating_makes_batches(store: Path, paths: list[str]):
    data = TensorDataset(torch.arange(40.0), torch.arange(40))
    joined = teacher(store).dataset(data, files=paths[::-1])
    (_, numbers), targets = next(iter(DataLoader(joined, batch_size=10, shuffle=True)))
    assert targets["row"].dtype == torch.int64
    assert torch.equal(targets["row"], 39 - numbers)
    assert torch.equal(targets["image_embedding"], torch.stack([expected(VALUES[39 - i]) for i in numbers.tolist()]))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_views_and_dtypes_are_as_stored(tmp_path: Path, dtype: str):
    path = make_store(tmp_path / "s.zarr", VALUES[:20], views=2, dtype=dtype).path
    kind = getattr(torch, dtype)
    model = teacher(path)
    both = model([3, 3], torch.tensor([1, 0]))["logits"]
    assert torch.equal(both, torch.stack([expected(VALUES[3], "logits", view, kind) for view in (1, 0)]))
    joined = model.dataset(TensorDataset(torch.arange(20)), digests=[digest_bytes(v) for v in VALUES[:20]], view=1)
    assert torch.equal(joined[4][1]["image_embedding"], expected(VALUES[4], view=1, dtype=kind))


def test_several_targets_have_keys_of_their_own(tmp_path: Path):
    path = make_store(tmp_path / "s.zarr", VALUES, targets=("teacher", "rdm-10000")).path
    both = teacher(path, targets=("teacher", "rdm-10000"))
    names = [f"{name}/{array}" for name in ("teacher", "rdm-10000") for array in ("image_embedding", "logits")]
    assert list(both([0])) == names == list(both.signals)
    assert torch.equal(both([5])["rdm-10000/logits"][0], expected(VALUES[5], "logits", 16))
    assert list(teacher(path, targets="rdm-10000")([0])) == ["image_embedding", "logits"]
    assert list(teacher(path, targets=("teacher", "rdm-10000"), arrays=["logits"])([0])) == [names[1], names[3]]
    assert list(teacher(path, targets=("teacher", "rdm-10000"), arrays=[names[2]])([0])) == [names[2]]
    with pytest.raises(StoreMissingError):
        teacher(path, arrays=["tokens"])
    with pytest.raises(StoreMissingError):
        teacher(path, targets="rdm-1")
    with pytest.raises(InputError):
        teacher(path, targets=("teacher", "teacher"))


def test_rows_by_every_way(store: Path, paths: list[str], tmp_path: Path):
    model, wanted = teacher(store), [7, 0, 39]
    assert model.rows_of(files=[paths[i] for i in wanted]).tolist() == wanted
    assert model.rows_of(files=[Path(paths[i]) for i in wanted]).dtype == np.int64
    assert model.rows_of(files=[VALUES[i] for i in wanted]).tolist() == wanted
    written = teacher(make_store(tmp_path / "t.zarr", [f"text é{i}".encode() for i in range(40)]).path)
    assert written.rows_of(texts=[f"text é{i}" for i in wanted]).tolist() == wanted
    digests = [digest_bytes(VALUES[i]) for i in wanted]
    for given in (digests, np.array(digests, np.uint64), torch.tensor(np.array(digests, np.uint64).view(np.int64))):
        assert model.rows_of(digests=given).tolist() == wanted
    keyed = make_store(tmp_path / "k.zarr", [str(i).encode() for i in range(40)], identity="key")
    assert teacher(keyed.path).rows_of(keys=wanted).tolist() == wanted
    assert teacher(keyed.path).rows_of(keys=["7"]).tolist() == [7]


def test_arrays_are_hashed_as_they_were_embedded(tmp_path: Path):
    images = [noise(8, 9, seed) for seed in range(20)]
    path = tmp_path / "s.zarr"
    data = ArraySamples(images)
    teachonce.embed(teacher="vit:patch=8,width=16,layers=1,heads=2", image_size=16, data=data, store=path, device="cpu")
    model = teacher(path)
    forms = [
        images[3],
        torch.from_numpy(images[4]),
        torch.from_numpy(images[5]).permute(2, 0, 1),
        Image.fromarray(images[6]),
    ]
    assert model.rows_of(arrays=forms).tolist() == [3, 4, 5, 6]
    joined = model.dataset(TensorDataset(torch.arange(3)), arrays=lambda dataset, i: images[9 - i])
    assert joined.rows.tolist() == [9, 8, 7]
    with pytest.raises(DataError):
        model.rows_of(arrays=[images[0] / 255])
    assert model.rows_of(digests=[digest_array(images[2])]).tolist() == [2]


class Plain(Dataset):
    """Items that do not tell where they come from."""

    def __len__(self) -> int:
        return 40

    def __getitem__(self, index: int) -> int:
        return index


@pytest.mark.parametrize(
    "ways",
    [
        {},
        {"keys": list(range(40))},
        {"arrays": [noise()] * 40},
        {"files": ["a"] * 40, "digests": [1] * 40},
        {"digests": [1] * 39},
        {"files": [7] * 40},
        {"texts": [b"bytes"] * 40},
        {"files": "a/path"},
    ],
    ids=lambda ways: "-".join(ways) or "none",
)
def test_without_a_way_to_the_content_it_is_an_error_never_position(store: Path, ways: dict[str, Any]):
    with pytest.raises(InputError):
        teacher(store).dataset(Plain(), **ways)


def test_a_function_is_for_datasets_and_other_words_are_refused(store: Path):
    with pytest.raises(InputError):
        teacher(store).rows_of(files=lambda d, i: "a")  # type: ignore[arg-type]
    with pytest.raises(InputError):
        teacher(store).rows_of()
    with pytest.raises(InputError):
        teacher(store).dataset(Plain(), digests=[1] * 40, missing="skip")  # type: ignore[arg-type]
    with pytest.raises(InputError):
        teacher(store).dataset(Plain(), digests=[1] * 40, view=1)


def test_what_is_no_dataset_with_numbered_items(store: Path):
    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(range(3))

    for data in (Stream(), iter([1])):
        with pytest.raises(InputError):
            teacher(store).dataset(data, digests=[1])


def test_a_view_for_each_row_or_for_all(tmp_path: Path):
    model = teacher(make_store(tmp_path / "s.zarr", VALUES[:5], views=2).path)
    assert torch.equal(model([1, 2], np.int64(1))["logits"], model([1, 2], [1, 1])["logits"])
    for view in ([0, 1, 0], 2, [0, 2], -1, [0.5, 1]):
        with pytest.raises(InputError):
            model([1, 2], view)


def test_a_store_of_nothing_but_missing_files(tmp_path: Path):
    model = teacher(make_store(tmp_path / "s.zarr", [b"", b""], failed={0: "missing", 1: "missing"}).path)
    with pytest.raises(MismatchError):
        model.rows_of(files=[b"a", b""])


@pytest.mark.parametrize("rows", [[40], [-1], [0.5], [True, False], [[0]]])
def test_rows_that_are_none(store: Path, rows: list[Any]):
    with pytest.raises(InputError):
        teacher(store)(rows)
    assert teacher(store)([])["logits"].shape == (0, CLASSES)


def test_folders_of_images_and_their_subsets_need_no_pointing_out(store: Path, paths: list[str], tmp_path: Path):
    folder = ImageFolder(tmp_path / "data")  # by class: another order than the store's
    joined = teacher(store).dataset(folder)
    for i, (path, label) in enumerate(folder.samples):
        item, targets = joined[i]
        assert item == (len(Path(path).read_bytes()), label)
        assert torch.equal(targets["image_embedding"], expected(Path(path).read_bytes()))
    part = Subset(Subset(folder, [9, 3, 30]), [2, 0])
    joined = teacher(store).dataset(part)
    assert [joined[i][0] for i in range(2)] == [folder[30], folder[9]]
    assert joined.rows.tolist() == [paths.index(folder.samples[i][0]) for i in (30, 9)]
    with pytest.raises(InputError):
        teacher(store).dataset(Subset(Plain(), [0, 1]))


def test_a_dataset_of_datasets_is_read_undecoded(store: Path, paths: list[str], tmp_path: Path):
    with quiet():
        table = datasets.Dataset.from_dict(
            {"image": [{"bytes": value, "path": None} for value in VALUES], "label": list(range(40))},
            datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")}),
        )
        folder = datasets.Dataset.from_dict({"image": paths}, datasets.Features({"image": datasets.Image()}))
        for data, order in (
            (table, range(40)),
            (table.shuffle(3), None),
            (table.select([8, 2]), (8, 2)),
            (folder, range(40)),
        ):
            rows = list(order) if order is not None else data["label"]
            joined = teacher(store).dataset(data)
            assert joined.rows.tolist() == list(rows)
        shown = table.with_transform(lambda batch: {"number": batch["label"]})
        assert teacher(store).dataset(shown)[7][0] == {"number": 7}


# ------------------------------------------------------------------ what does not fit


def test_the_gif_that_one_lister_takes(tmp_path: Path):
    """By position, every row after it would be another image's."""
    root = tmp_path / "data"
    contents = {f"{name}/{i}.jpg": f"{name}{i}".encode() for name in "ab" for i in range(10)} | {"a/3b.gif": b"moving"}
    write_files(root, contents)
    short, long = ImageFolder(root), GifFolder(root)
    assert len(long) == len(short) + 1
    with_gif = make_store(tmp_path / "with.zarr", [Path(path).read_bytes() for path, _ in long.samples]).path
    without = make_store(tmp_path / "without.zarr", [Path(path).read_bytes() for path, _ in short.samples]).path
    joined = teacher(with_gif).dataset(short)
    assert joined.report is not None
    assert joined.report.unused.tolist() == [4]
    for i, (path, _) in enumerate(short.samples):
        assert torch.equal(joined[i][1]["image_embedding"], expected(Path(path).read_bytes()))
    with pytest.raises(MismatchError) as refused:
        teacher(without).dataset(long)
    assert str(root / "a/3b.gif") in refused.value.message
    assert "a/4.jpg" not in refused.value.message
    dropped = teacher(without).dataset(long, missing="drop")
    assert len(dropped) == 20
    assert [dropped[i][0][0] for i in range(20)] == [long[i][0] for i in range(21) if i != 4]


def test_missing_items_are_counted_and_named(store: Path, paths: list[str], tmp_path: Path):
    strange = write_files(tmp_path / "other", {f"{i}.png": f"other {i}".encode() for i in range(7)})
    for ways in ({"files": paths[:5] + strange}, {"files": [*strange, tmp_path / "gone.png", tmp_path]}):
        with pytest.raises(MismatchError) as refused:
            teacher(store).rows_of(**ways)
        assert strange[0] in refused.value.message
    assert "none of 9 items" in refused.value.message
    with pytest.raises(MismatchError) as refused:
        teacher(store).rows_of(texts=["no such text"])
    assert "no such text" in refused.value.message
    with pytest.raises(DataError):
        teacher(store).dataset(FileItems(strange), files=strange, missing="drop")


def test_a_file_that_cannot_be_read_is_missing(store: Path, paths: list[str], tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    odd = [str(tmp_path / "pipe"), str(tmp_path / "empty"), str(tmp_path), "", "a\0b"]
    joined = teacher(store).dataset(TensorDataset(torch.arange(9)), files=[*odd, *paths[:4]], missing="drop")
    assert joined.report is not None
    assert joined.report.missing.tolist() == [0, 1, 2, 3, 4]
    assert [int(joined[i][0][0]) for i in range(4)] == [5, 6, 7, 8]


def test_rows_that_failed_have_no_targets(tmp_path: Path):
    path = make_store(tmp_path / "s.zarr", VALUES, failed={3: "truncated", 17: "not-an-image"}).path
    model, digests = teacher(path), [digest_bytes(value) for value in VALUES]
    with pytest.raises(FailedSamplesError) as refused:
        model(np.arange(40))
    assert "row 3" in refused.value.message
    assert "truncated" in refused.value.message
    with pytest.raises(FailedSamplesError) as refused:
        model.rows_of(files=VALUES)
    assert "not-an-image" in refused.value.message
    joined = model.dataset(TensorDataset(torch.arange(40)), digests=digests, missing="drop")
    assert joined.report is not None
    assert (len(joined), joined.report.failed) == (38, {3: "truncated", 17: "not-an-image"})
    assert all(torch.isfinite(joined[i][1]["logits"]).all() for i in range(38))


def test_of_equal_bytes_the_first_that_did_not_fail(tmp_path: Path, paths: list[str]):
    path = make_store(tmp_path / "s.zarr", [b"x", b"y", b"x", b"y", b"z"], failed={1: "damaged"}).path
    assert teacher(path).rows_of(files=[b"z", b"y", b"x", b"x"]).tolist() == [4, 3, 0, 0]
    joined = teacher(path).dataset(TensorDataset(torch.arange(4)), files=[b"z", b"y", b"x", b"x"])
    assert joined.report is not None
    assert (joined.report.repeated.tolist(), joined.report.unused.tolist()) == ([3], [])
    assert joined.report.copies.tolist() == [1, 2]
    line = str(joined.report)
    assert all(word in line for word in ("4 of 4", "item 3", "row 1, row 2"))


def test_a_key_of_several_rows_is_refused(tmp_path: Path):
    path = make_store(tmp_path / "s.zarr", [b"p", b"q", b"p"], identity="key").path
    assert teacher(path).rows_of(keys=["q"]).tolist() == [1]
    for ways in ({"keys": ["q", "p"]}, {"digests": [digest_bytes(b"p")]}):
        with pytest.raises(MismatchError) as refused:
            teacher(path).rows_of(**ways)
        assert "0, 2" in refused.value.message


def test_what_is_not_sealed_is_refused_at_once(tmp_path: Path):
    path = make_store(tmp_path / "s.zarr", VALUES).path
    unseal_target(path / "targets" / "teacher")
    with pytest.raises(UnsealedError):
        teacher(path)
    with pytest.raises(StoreMissingError):
        teacher(tmp_path / "none.zarr")


@pytest.mark.parametrize("place", ["samples/digest/c/1", "samples/status/c/0", "targets/teacher/status/c/1"])
def test_a_chunk_that_is_gone_is_told_when_the_store_is_opened(store: Path, place: str):
    (store / place).unlink()
    with pytest.raises(TeachonceError) as refused:
        teacher(store)
    assert refused.value.kind == "corrupt"


def test_a_flipped_bit_is_told_before_the_first_item(store: Path, paths: list[str]):
    chunk = store / "targets" / "teacher" / "logits" / "c" / "2" / "0" / "0"
    data = bytearray(chunk.read_bytes())
    data[9] ^= 4
    chunk.write_bytes(data)
    with pytest.raises(CorruptError):
        teacher(store).dataset(FileItems(paths[:3]), files=paths[:3])  # rows of another chunk
    model = teacher(store)
    assert model([0])["logits"].shape == (1, CLASSES)
    with pytest.raises(CorruptError):
        model([0, 39])
    assert len(teacher(store, arrays=["image_embedding"]).dataset(FileItems(paths), files=paths)) == 40


def test_a_large_target_is_checked_once_where_a_mark_says_so(
    store: Path, paths: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("teachonce.engine.join.signals.EAGER", 0)
    counts = []
    for _ in range(2):
        heard = Heard()
        joined = teacher(store).dataset(FileItems(paths), files=paths, events=heard)
        assert torch.equal(joined[3][1]["logits"], expected(VALUES[3], "logits"))
        counts.append(len(heard.warnings))
        teachonce.verify(store=store)
    assert counts == [1, 0]

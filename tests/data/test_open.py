"""Every way to name data, and every way to name it wrongly."""

import os
import pickle
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from imagekit import noise, write_images, write_parquet
from openkit import FILES, LABELS, refuse, saved, table

from teachonce.data.decode import DecodeError
from teachonce.data.open import open_samples
from teachonce.data.samples import EncodedSamples, Samples
from teachonce.digests import digest_array, digest_bytes
from teachonce.errors import InputError


def check(samples: Samples, rows: int = 6) -> None:
    """What holds for the dataset of FILES and LABELS however it is read."""
    assert samples.rows == rows
    assert samples.identity == "encoded"
    assert isinstance(samples, EncodedSamples)
    for row in range(rows):
        assert bytes(samples.encoded(row)) == FILES[row]
        assert samples.digest(row) == digest_bytes(FILES[row])
        assert (samples.decode(row) == noise(seed=row)).all()
    assert samples.labels is not None
    assert samples.labels.dtype == np.int32
    assert samples.labels.tolist() == LABELS[:rows]
    assert samples.classes == 3


@pytest.fixture
def parquet(tmp_path: Path) -> str:
    return write_images(tmp_path / "data.parquet", FILES, LABELS)


def test_a_parquet_file(parquet: str):
    samples = open_samples(parquet)
    check(samples)
    assert samples.class_names == ("class 0", "class 1", "class 2")
    assert samples.description == {
        "source": "parquet:data.parquet", "split": "train", "rows": 6,
        "image_column": "image", "label_column": "label", "key_column": None,
    }  # fmt: skip
    check(open_samples(parquet.removeprefix("parquet:")))


def test_an_arrow_file_and_a_saved_dataset(tmp_path: Path, parquet: str):
    dataset = datasets.load_dataset("parquet", data_files=parquet.removeprefix("parquet:"), split="train")
    dataset.save_to_disk(tmp_path / "saved")
    check(open_samples(f"disk:{tmp_path / 'saved'}"))
    check(open_samples(str(tmp_path / "saved")))
    file = next((tmp_path / "saved").glob("*.arrow"))
    check(open_samples(f"arrow:{file}"))
    check(open_samples(str(file)))
    datasets.DatasetDict(train=dataset, test=dataset.select([0])).save_to_disk(tmp_path / "splits")
    check(open_samples(str(tmp_path / "splits"), split="test"), rows=1)
    check(open_samples(str(tmp_path / "splits"), prefer="test"), rows=1)
    check(open_samples(str(tmp_path / "splits")))


def test_a_shuffled_dataset_keeps_its_order(tmp_path: Path, parquet: str):
    from teachonce.data.open import from_dataset

    dataset = datasets.load_dataset("parquet", data_files=parquet.removeprefix("parquet:"), split="train")
    order = [4, 2, 5, 0, 1, 3]
    samples = from_dataset(
        dataset.select(order), image="image", label="label", key=None, limit=None, description={"source": "here"}
    )
    assert [samples.digest(row) for row in range(6)] == [digest_bytes(FILES[row]) for row in order]
    assert samples.labels is not None
    assert samples.labels.tolist() == [LABELS[row] for row in order]


def test_a_folder_of_images_by_class(tmp_path: Path):
    for row, label in enumerate(LABELS):
        folder = tmp_path / "photos" / f"class {label}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{row}.png").write_bytes(FILES[row])
    for spec in (f"folder:{tmp_path / 'photos'}", str(tmp_path / "photos")):
        samples = open_samples(spec)
        assert samples.class_names == ("class 0", "class 1", "class 2")
        assert samples.labels is not None
        assert samples.labels.tolist() == [0, 0, 1, 1, 2, 2]
        assert [samples.digest(row) for row in range(6)] == [digest_bytes(FILES[row]) for row in (0, 3, 1, 4, 2, 5)]


def test_a_flat_folder_has_no_labels(tmp_path: Path):
    (tmp_path / "one.png").write_bytes(FILES[0])
    (tmp_path / "two.png").write_bytes(FILES[1][:50])
    samples = open_samples(f"folder:{tmp_path}")
    assert samples.labels is samples.classes is samples.class_names is None
    with pytest.raises(DecodeError, match="truncated"):
        samples.decode(1)
    (tmp_path / "one.png").unlink()
    with pytest.raises(DecodeError, match="missing"):
        samples.decode(0)
    assert samples.digest(0) == 0


def test_digits_are_built_in():
    train, test, everything = (open_samples("digits", split=split) for split in ("train", "test", "all"))
    assert (train.rows, test.rows, everything.rows) == (1437, 360, 1797)
    assert open_samples("digits").rows == 1437
    assert open_samples("digits", prefer="test").rows == 360
    assert open_samples("digits", limit=10).rows == 10
    assert train.identity == "array"
    assert train.class_names == tuple("0123456789")
    assert train.decode(0).shape == (8, 8, 3)
    assert max(train.decode(row).max() for row in range(20)) == 255
    assert train.digest(3) == digest_array(train.decode(3))
    seen = [{samples.digest(row) for row in range(samples.rows)} for samples in (train, test)]
    assert not seen[0] & seen[1]
    assert (np.bincount(test.labels) > 25).all()


def test_a_limit_takes_the_first_rows(parquet: str):
    check(open_samples(parquet, limit=4), rows=4)
    check(open_samples(parquet, limit=1000))


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_of_nothing_is_refused(limit: int):
    refuse("digits", "at least 1", str(limit), error=InputError, limit=limit)


def test_samples_travel_to_other_processes(parquet: str):
    samples = open_samples(parquet, key_column="label")
    samples.digest(0)
    assert pickle.loads(pickle.dumps(samples)).digest(4) == samples.digest(4)  # noqa: S301
    check(pickle.loads(pickle.dumps(open_samples(parquet))))  # noqa: S301


def test_columns_can_be_named(tmp_path: Path):
    spec = saved(tmp_path, table(view=[{"bytes": file, "path": None} for file in FILES[::-1]], kind=list("bacbac")))
    samples = open_samples(spec, image_column="view", label_column="kind")
    assert samples.digest(0) == digest_bytes(FILES[-1])
    assert samples.class_names == ("a", "b", "c")
    assert samples.labels is not None
    assert samples.labels.tolist() == [1, 0, 2, 1, 0, 2]
    assert open_samples(spec, image_column="image").labels is None


def test_bytes_and_paths_are_images_where_they_are_named(tmp_path: Path):
    (tmp_path / "0.png").write_bytes(FILES[0])
    paths = [str(tmp_path / f"{row}.png") for row in range(6)]
    spec = write_parquet(tmp_path / "plain.parquet", {"raw": FILES, "path": paths, "label": LABELS})
    check(open_samples(spec, image_column="raw"))
    samples = open_samples(spec, image_column="path")
    assert samples.digest(0) == digest_bytes(FILES[0])
    with pytest.raises(DecodeError, match="missing"):
        samples.decode(1)


def test_keys_can_identify(tmp_path: Path):
    spec = saved(tmp_path, table(name=[f"photo {row}" for row in range(6)], number=list(range(6))))
    samples = open_samples(spec, key_column="name")
    assert samples.identity == "key"
    assert samples.digest(2) == digest_bytes(b"photo 2")
    assert open_samples(spec, key_column="number").digest(2) == digest_bytes(b"2")
    refuse(spec, "whole numbers or text", "image", key_column="image")


def test_a_missing_image_is_a_failed_row(tmp_path: Path):
    samples = open_samples(write_images(tmp_path / "gap.parquet", [FILES[0], None, FILES[2]]))
    assert samples.digest(1) == 0
    with pytest.raises(DecodeError, match="missing"):
        samples.decode(1)
    assert (samples.decode(2) == noise(seed=2)).all()


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("huge.png", "too-large"),
        ("file://huge.png", "too-large"),
        ("evil://x", "missing"),
        ("http://[", "missing"),
        ("zip://a.png::http://[", "missing"),
        ("zip://a.png::huge.png", "missing"),
        ("zip://a.png::pipe", "missing"),
        ("file://pipe", "missing"),
        ("a\0b", "missing"),
    ],
)
@pytest.mark.timeout(60)
def test_a_path_to_no_image_is_a_failed_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, code: str):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    with Path("huge.png").open("wb") as file:
        file.truncate(1 << 40)
    rows = [{"bytes": FILES[0], "path": None}, {"bytes": None, "path": path}]
    pq.write_table(pa.table({"image": rows}), "made.parquet")
    samples = open_samples("parquet:made.parquet", image_column="image")
    assert samples.digest(1) == 0
    with pytest.raises(DecodeError, match=code):
        samples.decode(1)


def test_a_huge_file_in_a_folder_is_a_failed_row(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(FILES[0])
    with (tmp_path / "b.png").open("wb") as file:
        file.truncate(1 << 40)
    samples = open_samples(f"folder:{tmp_path}")
    assert (samples.decode(0) == noise(seed=0)).all()
    with pytest.raises(DecodeError, match="too-large"):
        samples.decode(1)


def test_several_columns_must_be_chosen_from(tmp_path: Path):
    image = datasets.Image(decode=False)
    features = datasets.Features(
        image=image, thumbnail=image, fine=datasets.ClassLabel(names=["a"]), coarse=datasets.ClassLabel(names=["b"])
    )
    cells = [{"bytes": file, "path": None} for file in FILES]
    columns = {"image": cells, "thumbnail": cells, "fine": [0] * 6, "coarse": [0] * 6}
    spec = write_parquet(tmp_path / "two.parquet", columns, features)
    refuse(spec, "got 2: fine, coarse", "--label-column")
    refuse(spec, "got 2: image, thumbnail", "--image-column", label_column="fine")
    assert open_samples(spec, image_column="thumbnail", label_column="coarse").class_names == ("b",)


def test_unknown_columns_are_refused_with_those_there_are(parquet: str, tmp_path: Path):
    refuse(parquet, "'picture'", "image, label", "--image-column", image_column="picture")
    refuse(parquet, "'kind'", "image, label", "--label-column", label_column="kind")
    refuse(parquet, "'kind'", "image, label", key_column="kind")
    refuse(parquet, "int64", image_column="label")
    refuse(write_parquet(tmp_path / "text.parquet", {"text": ["a"], "label": [0]}), "found none", "text, label")


def test_unknown_splits_are_refused_with_those_there_are(parquet: str, tmp_path: Path):
    refuse(parquet, "train", "got 'test'", "--split", split="test")
    refuse("digits", "train, test, all", "got 'valid'", split="valid")
    dataset = table().cast_column("image", datasets.Image(decode=False))
    datasets.DatasetDict(fit=dataset, valid=dataset).save_to_disk(tmp_path / "splits")
    refuse(str(tmp_path / "splits"), "fit, valid", "--split")


def test_data_that_is_not_there_is_refused(tmp_path: Path):
    for spec in (f"parquet:{tmp_path}/no.parquet", f"{tmp_path}/nothing", f"folder:{tmp_path}/no", "no.arrow", " "):
        refuse(spec, "no such file or folder")


def test_files_of_another_kind_are_refused(tmp_path: Path, parquet: str):
    (tmp_path / "notes.parquet").write_text("no table")
    refuse(f"parquet:{tmp_path / 'notes.parquet'}", "could not read", "parquet")
    refuse(f"disk:{tmp_path}", "could not read")
    refuse(f"arrow:{parquet.removeprefix('parquet:')}", "could not read")


def test_empty_data_is_refused(tmp_path: Path):
    refuse(write_images(tmp_path / "none.parquet", []), "got none")
    (tmp_path / "empty").mkdir()
    refuse(f"folder:{tmp_path / 'empty'}")
    table().cast_column("image", datasets.Image(decode=False)).select([]).save_to_disk(tmp_path / "saved")
    refuse(str(tmp_path / "saved"), "got none")
    kinds = pa.schema([("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("label", pa.int64())])
    pq.write_table(kinds.empty_table(), tmp_path / "rowless.parquet")  # without what `datasets` adds to its own files
    refuse(str(tmp_path / "rowless.parquet"), "expected samples", "got none")


@pytest.mark.parametrize("spec", ["", " ", "folder:", "parquet: "])
def test_a_name_of_nothing_is_not_the_folder_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str):
    write_images(tmp_path / "here.parquet", FILES, LABELS)
    monkeypatch.chdir(tmp_path)
    refuse(spec, "no such file or folder")


def test_a_file_is_no_folder_of_images(parquet: str):
    refuse(parquet.replace("parquet:", "folder:"), "it is a file")


def test_a_hub_dataset_that_cannot_be_fetched_is_one_line(monkeypatch: pytest.MonkeyPatch, capfd: Any):
    def unreachable(*_: Any, **__: Any) -> None:
        raise ConnectionError("Couldn't reach 'some/data' on the Hub (timed out)\nand more")

    monkeypatch.setattr("teachonce.data.hub._reachable", lambda _: True)
    monkeypatch.setattr(datasets, "get_dataset_split_names", unreachable)
    refuse("some/data", "could not fetch", "'some/data'", "timed out", "connection")
    assert not capfd.readouterr().err


def test_without_a_connection_only_what_was_fetched_before_is_looked_at(monkeypatch: pytest.MonkeyPatch):
    from huggingface_hub import HfApi, constants

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no route")

    def names(*_: Any) -> list[str]:
        assert constants.HF_HUB_OFFLINE
        assert datasets.config.HF_HUB_OFFLINE
        raise ConnectionError("Couldn't reach it (OfflineModeIsEnabled)")

    monkeypatch.setattr(HfApi, "dataset_info", fail)
    monkeypatch.setattr(datasets, "get_dataset_split_names", names)
    before = constants.HF_HUB_OFFLINE
    refuse("some/data", "OfflineModeIsEnabled")
    assert constants.HF_HUB_OFFLINE is before


def test_a_hub_dataset_is_fetched_by_split(monkeypatch: pytest.MonkeyPatch):
    asked: list[Any] = []

    def load(path: str, name: str | None, *, split: str, cache_dir: str | None) -> datasets.Dataset:
        asked.append((path, name, split, cache_dir))
        return table(label=LABELS).cast_column("image", datasets.Image())

    monkeypatch.setattr("teachonce.data.hub._reachable", lambda _: True)
    monkeypatch.setattr(datasets, "get_dataset_split_names", lambda path, name: ["train", "test"])
    monkeypatch.setattr(datasets, "load_dataset", load)
    samples = open_samples("some/data:small", split="test", cache_dir="/kept")
    check(samples)
    assert samples.description["source"] == "some/data:small"
    check(open_samples("hub:some/data"))
    assert asked == [("some/data", "small", "test", "/kept"), ("some/data", None, "train", None)]
    refuse("some/data", "train, test", "got 'valid'", split="valid")

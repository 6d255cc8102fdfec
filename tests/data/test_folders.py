"""Folders of images, however they are laid out and called: each image is a row, or it is said that it is not."""

import os
from collections import Counter
from pathlib import Path

import datasets
import numpy as np
import pytest
from imagekit import encode, noise

from teachonce.data.arrow import ArrowSamples
from teachonce.data.open import open_samples
from teachonce.digests import digest_bytes
from teachonce.errors import DataError
from tests.heard import Heard

PNG = encode(noise(2, 3))
WORDS = [
    "cat", "dog", "bus", "train", "Train", "test", "test tube", "val", "validation", "eval", "photo-test-1", "2020",
    "train-2017", "a[1]", "x*", "ünï", " spaced ", "data", "test_set", "q'uote", "new\nline", "0", "10", "9", "labels",
]  # fmt: skip
ENDINGS = [".png", ".PNG", ".jpeg", ".Jpg", ".webp", ".tif"]


def put(root: Path, *names: str, data: bytes = PNG) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


def opened(root: Path, **options: object) -> tuple[ArrowSamples, Heard]:
    heard = Heard()
    samples = open_samples(f"folder:{root}", events=heard, **options)  # type: ignore[arg-type]
    assert isinstance(samples, ArrowSamples)
    return samples, heard


def names(samples: ArrowSamples, root: Path) -> list[str]:
    return [os.path.relpath(str(samples.name(row)), root) for row in range(samples.rows)]


def classes(samples: ArrowSamples) -> list[str | None]:
    assert samples.labels is not None
    assert samples.class_names is not None
    return [samples.class_names[label] if label >= 0 else None for label in samples.labels.tolist()]


def splits_of(root: Path) -> list[str]:
    try:
        open_samples(f"folder:{root}", split="no such")
    except DataError as error:
        return error.message.split("has the splits ")[1].split(";")[0].split(", ")
    raise AssertionError


def left_out(heard: Heard) -> int:
    return sum(int(text.split(": ", 1)[1].split()[0]) for text in heard.warnings if " left out that " in text)


@pytest.mark.parametrize("seed", range(60))
def test_every_image_of_any_tree_is_a_row_of_one_split_or_told(tmp_path: Path, seed: int):
    generator = np.random.default_rng(seed)
    images = set()
    for _ in range(int(generator.integers(1, 5))):
        folder = [str(generator.choice(WORDS)) for _ in range(int(generator.integers(0, 4)))]
        for _ in range(int(generator.integers(1, 4))):
            images.add("/".join([*folder, f"{generator.choice(WORDS)}{generator.choice(ENDINGS)}"]))
    images = {name for name in images if not any(other.startswith(f"{name}/") for other in images)}
    put(tmp_path, *images)
    put(tmp_path, *(f"{generator.choice(WORDS)} notes.txt" for _ in range(int(generator.integers(0, 3)))), data=b"no")
    rows: Counter[str] = Counter()
    told = set()
    for split in splits_of(tmp_path):
        samples, heard = opened(tmp_path, split=split)
        rows.update(str(samples.name(row)) for row in range(samples.rows))
        told.add(left_out(heard))
        assert samples.labels is None or samples.labels.max() < len(samples.class_names or ())
    assert set(rows.values()) == {1}
    others = sum(1 for path in tmp_path.rglob("* notes.txt"))
    assert told == {len(images) - len(rows) + others}


@pytest.mark.parametrize(
    "tree",
    [
        ["cat/1.png", "cat/10.png", "cat/2.png", "dog/1.png", "cat-2/1.png", "Zebra/a.png", "é/x.png", "cat/a b.png"],
        ["1.png", "10.png", "2.jpg", "B.png", "a.PNG"],
        ["train/cat/1.png", "train/dog/2.png", "test/cat/3.png", "test/dog/4.png", "val/cat/5.png"],
        ["train/1.png", "train/2.png"],
        ["animals/cat/1.png", "vehicles/bus/2.png", "vehicles/car/2.png"],
        ["only/1.png", "only/2.png"],
        ["0/1.png", "10/1.png", "9/1.png"],
    ],
)
def test_ordinary_trees_are_read_as_datasets_reads_them(tmp_path: Path, tree: list[str]):
    put(tmp_path / "d", *tree)
    theirs = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "d"), cache_dir=str(tmp_path / "cache"))
    assert sorted(theirs) == sorted(splits_of(tmp_path / "d"))
    for split in theirs:
        samples, _ = opened(tmp_path / "d", split=split)
        plain = theirs[split].cast_column("image", datasets.Image(decode=False))
        assert [samples.name(row) for row in range(samples.rows)] == [cell["path"] for cell in plain["image"]]
        labels = plain["label"] if "label" in plain.column_names else None
        assert (None if samples.labels is None else samples.labels.tolist()) == (labels and list(labels))
        assert samples.class_names == (tuple(plain.features["label"].names) if labels else None)
        assert samples.description["source"] == "folder:d"
        assert samples.description["split"] == split
        assert samples.description["label_column"] == ("label" if labels else None)


@pytest.mark.parametrize(
    ("tree", "splits", "unsure"),
    [
        (["train/1.png", "test/2.png"], ["test", "train"], False),
        (["Training/cat/1.png", "Testing/cat/2.png"], ["test", "train"], False),
        (["dev/1.png"], ["validation"], False),
        (["data/train/a/1.png", "data/test/a/1.png"], ["test", "train"], False),
        (["cat/train/1.png", "cat/test/2.png", "dog/train/3.png"], ["test", "train"], False),
        (["train2017/1.png", "val2017/2.png"], ["train", "validation"], True),
        (["train_1/1.png", "train_2/2.png", "test/1.png"], ["test", "train"], True),
        (["train/1.png", "test/2.png", "extra/3.png"], ["extra", "test", "train"], True),
        (["train/cat/1.png", "train/dog/2.png", "unlabelled/3.png"], ["train", "unlabelled"], True),
        (["train/1.png", "bus/2.png", "car/3.png"], ["train"], False),
        (["test tube/1.png", "flask/2.png"], ["train"], False),
        (["test tube/1.png", "test strip/2.png"], ["train"], False),
        (["photo-test-1.png", "train_2.png"], ["train"], False),
        (["cat/train-1.png", "dog/test-1.png"], ["train"], False),
        (["a/train/1.png", "a/bus/1.png", "b/test/1.png", "b/flask/1.png"], ["train"], False),
        (["a/test/1.png", "b/2.png"], ["train"], False),
    ],
)
def test_which_folders_are_splits(tmp_path: Path, tree: list[str], splits: list[str], unsure: bool):
    put(tmp_path, *tree)
    assert sorted(splits_of(tmp_path)) == splits
    _, heard = opened(tmp_path, split=splits[0])
    assert any("read as splits" in text for text in heard.warnings) == unsure


def test_splits_without_classes_have_no_labels(tmp_path: Path):
    put(tmp_path, "train/1.png", "train/2.png", "test/3.png", "beside.png")
    for split, rows in (("train", 2), ("test", 1)):
        samples, heard = opened(tmp_path, split=split)
        assert (samples.rows, samples.labels, samples.class_names) == (rows, None, None)
        assert "beside.png" in heard.warnings[0]
    assert opened(tmp_path)[0].rows == 2
    assert opened(tmp_path, prefer="test")[0].rows == 1


def test_a_split_is_found_by_the_names_it_may_have(tmp_path: Path):
    put(tmp_path, "train/1.png", "val/2.png")
    for name in ("val", "validation", "dev"):
        assert opened(tmp_path, split=name)[0].description["split"] == "validation"


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (["cat/1.png", "dog/2.png", "stray.png"], ["cat", "dog", None]),
        (["data/cat/1.png", "data/dog/2.png"], ["cat", "dog"]),
        (["cat/1.png", "dog/puppy/2.png"], ["cat", "dog"]),
        (["cat/2020/1.png", "dog/2020/2.png"], ["cat", "dog"]),
        (["bus/1.png", "car/2.png", "train/3.png"], ["bus", "car", "train"]),
        (["beaker/1.png", "flask/2.png", "test tube/3.png"], ["beaker", "flask", "test tube"]),
        (["train/cat/1.png", "train/dog/2.png", "test/3.png"], ["cat", "dog"]),
        (["train/cat/1.png", "train/dog/2.png", "test/eel/3.png"], ["cat", "dog"]),
        (["cat/train/1.png", "dog/train/2.png", "dog/test/2.png"], ["cat", "dog"]),
    ],
)
def test_the_class_is_the_folder(tmp_path: Path, tree: list[str], expected: list[str | None]):
    put(tmp_path, *tree)
    samples, heard = opened(tmp_path)
    assert classes(samples) == expected
    assert any("have no label: stray.png" in text for text in heard.warnings) == (None in expected)


@pytest.mark.parametrize("tree", [["dog/1.png", "dog/2.png"], ["test/dog/1.png", "test/dog/2.png"]])
def test_one_folder_alone_is_a_class_where_labels_are_asked_for(tmp_path: Path, tree: list[str]):
    put(tmp_path, *tree)
    assert opened(tmp_path)[0].labels is None
    assert classes(opened(tmp_path, label_column="label")[0]) == ["dog", "dog"]
    assert opened(tmp_path, label_column="none")[0].labels is None


def test_all_splits_number_the_classes_alike(tmp_path: Path):
    put(tmp_path, "train/cat/1.png", "train/eel/2.png", "test/dog/3.png", "test/eel/4.png")
    for split, labels in (("train", [0, 2]), ("test", [1, 2])):
        samples, _ = opened(tmp_path, split=split)
        assert samples.class_names == ("cat", "dog", "eel")
        assert samples.labels is not None
        assert samples.labels.tolist() == labels


def test_what_is_left_out_is_told(tmp_path: Path):
    put(
        tmp_path,
        "a/1.png",
        "b/2.png",
        "b/.hidden.png",
        ".cache/3.png",
        "b/movie.mp4",
        "b/README",
        "b/Thumbs.db",
        "b/._1.png",
    )
    put(tmp_path, "__MACOSX/1.png", ".DS_Store", "b/desktop.ini")
    (tmp_path / "a" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(tmp_path / "a" / "pipe.png")
    samples, heard = opened(tmp_path)
    assert names(samples, tmp_path) == ["a/1.png", "b/2.png"]
    told = " | ".join(heard.warnings)
    for part in (
        "2 left out that do not have the extension of an image",
        "movie.mp4",
        "2 left out that are hidden images",
        "2 left out that are not files",
    ):
        assert part in told
    assert "Thumbs.db" not in told


def test_links_are_followed_but_not_in_circles(tmp_path: Path):
    put(tmp_path / "store", "1.png", "2.png")
    root = tmp_path / "root"
    put(root, "cat/3.png")
    (root / "dog").symlink_to(tmp_path / "store")
    (root / "cat" / "4.png").symlink_to(tmp_path / "store" / "1.png")
    (root / "cat" / "again").symlink_to(root)
    samples, heard = opened(root)
    assert names(samples, root) == ["cat/3.png", "cat/4.png", "dog/1.png", "dog/2.png"]
    assert classes(samples) == ["cat", "cat", "dog", "dog"]
    assert left_out(heard) == 1


def test_names_need_not_be_text(tmp_path: Path):
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)  # noqa: PTH102
    with open(folder + b"/\xff.png", "wb") as file:  # noqa: PTH123
        file.write(PNG)
    put(tmp_path, "tea/1.png")
    samples, _ = opened(tmp_path)
    assert samples.class_names == ("caf\\xe9", "tea")
    assert samples.digest(0) == samples.digest(1) == digest_bytes(PNG)
    assert str(samples.name(0)).endswith("caf\\xe9/\\xff.png")
    (samples.decode(0), samples.description)
    assert len(samples.encoded(0)) == len(PNG)


def test_the_order_does_not_depend_on_the_locale(tmp_path: Path):
    put(tmp_path, *(f"{name}.png" for name in ("a", "B", "ä", "z", "_", "10", "9")))
    samples, _ = opened(tmp_path)
    assert names(samples, tmp_path) == ["10.png", "9.png", "B.png", "_.png", "a.png", "z.png", "ä.png"]


def test_classes_that_differ_in_case_alone_are_told(tmp_path: Path):
    put(tmp_path, "Cat/1.png", "cat/2.png", "dog/3.png")
    samples, heard = opened(tmp_path)
    assert samples.classes == 3
    assert any("'Cat' and 'cat'" in text for text in heard.warnings)


def test_a_folder_without_images_says_what_it_has(tmp_path: Path):
    put(tmp_path, "a.zip", "b/c.dat", "b/d.dat")
    with pytest.raises(DataError, match="3 other files") as caught:
        opened(tmp_path)
    assert ".dat 2" in caught.value.message
    assert "archives" in caught.value.mend


class TestMetadata:
    @pytest.mark.parametrize("mark", ["", "\ufeff"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
    def test_says_the_rows_and_their_labels(self, tmp_path: Path, mark: str, encoding: str):
        put(tmp_path, "2.png", "1.png", "sub/3.png", "4.png")
        text = f"{mark}file_name,label\r\n2.png,NA\r\nsub/3.png,none\r\n1.png,\r\n"
        (tmp_path / "metadata.csv").write_bytes(text.encode(encoding if not mark else "utf-8"))
        samples, heard = opened(tmp_path)
        assert names(samples, tmp_path) == ["2.png", "sub/3.png", "1.png"]
        assert classes(samples) == ["NA", "none", None]
        assert any("1 images are left out" in text and "4.png" in text for text in heard.warnings)

    def test_as_datasets_reads_it(self, tmp_path: Path):
        put(tmp_path / "d", "train/2.png", "train/1.png", "test/3.png")
        (tmp_path / "d" / "train" / "metadata.jsonl").write_text(
            '{"file_name": "2.png", "label": 1}\n{"file_name": "1.png", "label": 0}\n'
        )
        (tmp_path / "d" / "test" / "metadata.jsonl").write_text('{"file_name": "3.png", "label": 1}\n')
        theirs = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "d"), cache_dir=str(tmp_path / "cache"))
        for split in ("train", "test"):
            samples, _ = opened(tmp_path / "d", split=split)
            assert samples.labels is not None
            assert samples.labels.tolist() == list(theirs[split]["label"])
            plain = theirs[split].cast_column("image", datasets.Image(decode=False))
            assert [samples.name(row) for row in range(samples.rows)] == [cell["path"] for cell in plain["image"]]

    def test_without_the_column_is_not_used(self, tmp_path: Path):
        put(tmp_path, "cat/1.png", "dog/2.png")
        (tmp_path / "metadata.csv").write_text("name,width\n1.png,3\n")
        samples, heard = opened(tmp_path)
        assert classes(samples) == ["cat", "dog"]
        assert any("not used" in text for text in heard.warnings)

    @pytest.mark.parametrize("column", ["caption", "label"])
    def test_says_that_folders_are_not_the_classes(self, tmp_path: Path, column: str):
        put(tmp_path, "train/cat/1.png", "train/dog/2.png")
        (tmp_path / "train" / "metadata.csv").write_text(f"file_name,{column}\ncat/1.png,a\ndog/2.png,b\n")
        samples, heard = opened(tmp_path)
        assert (samples.labels is None) == (column == "caption")
        assert any("cat, dog" in text for text in heard.warnings) == (column == "caption")
        assert opened(tmp_path, label_column=column)[1].warnings == []

    def test_in_another_encoding_is_told_once(self, tmp_path: Path):
        put(tmp_path, "1.png")
        (tmp_path / "metadata.csv").write_bytes("file_name,label\n1.png,caf\xe9\n".encode("latin-1"))
        with pytest.raises(DataError, match="UTF-8") as caught:
            opened(tmp_path)
        assert str(caught.value).count(caught.value.mend) == 1

    @pytest.mark.parametrize("name", ["/etc/passwd", "../1.png", "zip://x", ""])
    def test_names_nothing_outside(self, tmp_path: Path, name: str):
        put(tmp_path, "1.png")
        (tmp_path / "metadata.csv").write_text(f"file_name,label\n1.png,0\n{name},1\n")
        with pytest.raises(DataError, match="row 1"):
            opened(tmp_path)


def table(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [{"bytes": PNG, "path": None}] * 2
    datasets.Dataset.from_dict({"image": cells, "label": [value] * 2}).to_parquet(str(path))


@pytest.mark.parametrize(
    ("files", "expected", "told"),
    [
        (["photos-1", "photos-2", "photos-test"], {"train": [0, 1, 2]}, "photos-test"),
        (["train", "test"], {"train": [0], "test": [1]}, None),
        (["train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"], {"train": [0, 1], "test": [2]}, None),
        (["data/train-00000-of-00001", "data/extra-00000-of-00001"], {"train": [0], "extra": [1]}, None),
        (["train/0000", "validation/0000"], {"train": [0], "validation": [1]}, None),
        (["photos-train", "photos-test"], {"train": [0], "test": [1]}, "read as splits"),
        (["a[1]", "b"], {"train": [0, 1]}, None),
    ],
)
def test_all_tables_of_a_folder_are_read(
    tmp_path: Path, files: list[str], expected: dict[str, list[int]], told: str | None
):
    for value, name in enumerate(files):
        table(tmp_path / f"{name}.parquet", value)
    heard = Heard()
    for split, values in expected.items():
        samples = open_samples(f"parquet:{tmp_path}", split=split, events=heard)
        assert samples.labels is not None
        assert samples.labels.tolist() == [value for value in values for _ in range(2)]
    assert bool(heard.warnings) == (told is not None)
    assert told is None or told in heard.warnings[0]


def test_a_pattern_is_all_its_files(tmp_path: Path):
    for value, name in enumerate(("photos-1", "photos-test", "train-2")):
        table(tmp_path / f"{name}.parquet", value)
    assert open_samples(f"parquet:{tmp_path}/*.parquet").rows == 6
    table(tmp_path / "odd" / "p[1].parquet", 0)
    assert open_samples(f"parquet:{tmp_path}/odd/p[1].parquet").rows == 2

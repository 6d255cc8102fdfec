"""Columns of texts: one or several a row, padded and counted, and what is no text."""

import json
import pickle
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openkit import FILES, refuse, saved, table

from teachonce.data.captions import CaptionedSamples, Captions, text_digest, text_digests
from teachonce.data.open import from_dataset, open_samples
from teachonce.data.scenes import load_scenes
from teachonce.data.textcolumns import ColumnCaptions
from teachonce.digests import digest_bytes
from teachonce.errors import DataError
from tests.heard import Heard

ONE = ["a cat", "", None, "zwölf Bären", "  \n", "a cat"]
SEVERAL = [["b", "c"], [], None, ["", "d", None], ["e", " f ", "g"], [" "]]
TOGETHER = [["a cat", "b", "c"], [], [], ["zwölf Bären", "d"], ["e", " f ", "g"], ["a cat"]]
COUNTS = [3, 0, 0, 2, 3, 1]


def made(path: Path, **columns: Any) -> str:
    """A table of FILES and these columns, as a parquet file that `datasets` did not write."""
    cells = [{"bytes": file, "path": None} for file in FILES]
    pq.write_table(pa.table({"image": cells, **columns}), path / "made.parquet", row_group_size=2)
    return f"parquet:{path / 'made.parquet'}"


def captions_of(spec: str, *columns: str, **options: Any) -> Captions:
    samples = open_samples(spec, text_columns=columns, **options)
    assert isinstance(samples, CaptionedSamples)
    assert samples.captions is not None
    return samples.captions


def check(captions: Captions, expected: list[list[str]]) -> None:
    assert captions.rows == len(expected)
    assert captions.texts(range(len(expected))) == expected
    assert captions.counts.tolist() == list(map(len, expected))
    assert captions.counts.dtype == np.int32
    assert captions.most == max(map(len, expected))


def test_columns_of_one_and_of_several_texts(tmp_path: Path):
    spec = saved(tmp_path, table(caption=ONE, more=SEVERAL))
    check(captions_of(spec, "caption", "more"), TOGETHER)
    check(captions_of(spec, "more"), [["b", "c"], [], [], ["d"], ["e", " f ", "g"], []])
    check(captions_of(spec, "more", "caption", limit=1), [["b", "c", "a cat"]])
    check(captions_of(spec, "caption"), [["a cat"], [], [], ["zwölf Bären"], [], ["a cat"]])


def test_rows_are_asked_for_in_any_order(tmp_path: Path):
    captions = captions_of(made(tmp_path, caption=ONE, more=SEVERAL), "caption", "more")
    assert captions.texts(np.array([4, 0, 4])) == [TOGETHER[row] for row in (4, 0, 4)]
    assert captions.texts([]) == []
    for row in (-1, 6):
        with pytest.raises(DataError, match=str(row)):
            captions.texts([0, row])


def test_a_text_is_known_by_its_bytes(tmp_path: Path):
    captions = captions_of(made(tmp_path, caption=ONE, more=SEVERAL), "caption", "more")
    digests, counts = text_digests(captions, [5, 3, 1])
    assert digests.dtype == np.uint64
    bears = digest_bytes("zwölf Bären".encode())
    assert digests.tolist() == [[digest_bytes(b"a cat"), 0, 0], [bears, digest_bytes(b"d"), 0], [0, 0, 0]]
    assert counts.tolist() == [1, 2, 0]
    assert text_digest("teachonce") == 11124254098401646192


def test_scenes_count_as_columns_do():
    captions = load_scenes("captions=3", limit=7).captions
    check(captions, captions.texts(range(7)))
    digests, counts = text_digests(captions, [6, 2])
    assert digests.shape == (2, 3)
    assert digests[1].tolist() == list(map(text_digest, captions.texts([2])[0]))
    assert counts.tolist() == [3, 3]


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.string()), pa.large_list(pa.large_string()), pa.list_(pa.string_view()),
        pa.list_(pa.dictionary(pa.int32(), pa.string())),
    ],
    ids=str,
)  # fmt: skip
def test_every_kind_of_list(tmp_path: Path, kind: pa.DataType):
    column = pa.array(SEVERAL, pa.list_(pa.string()))
    if not pa.types.is_dictionary(kind.value_type):
        column = column.cast(kind)
    else:
        column = pa.ListArray.from_arrays(column.offsets, column.values.dictionary_encode())
    check(captions_of(made(tmp_path, more=column), "more"), [["b", "c"], [], [], ["d"], ["e", " f ", "g"], []])


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), None], ids=str)
def test_every_kind_of_text(tmp_path: Path, kind: pa.DataType | None):
    column = pa.array(ONE, kind) if kind else pa.array(ONE).dictionary_encode()
    check(captions_of(made(tmp_path, t=column), "t"), [["a cat"], [], [], ["zwölf Bären"], [], ["a cat"]])


def test_lists_of_one_length(tmp_path: Path):
    column = pa.array([["a", "b"], None, ["c", ""], [None, "d"], ["e", "e"], ["f", "g"]], pa.list_(pa.string(), 2))
    expected = [["a", "b"], [], ["c"], ["d"], ["e", "e"], ["f", "g"]]
    check(captions_of(made(tmp_path, t=column), "t"), expected)


_CELL = st.none() | st.text(st.sampled_from(" \t\n\x0b\x0c\r\x1c\x85\xa0\u2003aé"), max_size=3)


@given(st.lists(st.none() | st.lists(_CELL, max_size=4), min_size=1, max_size=8), st.integers(1, 3))
@settings(max_examples=200, deadline=None)
def test_what_is_counted_is_what_is_given(rows: list[list[str | None] | None], size: int):
    pieces = [pa.array(rows[start : start + size], pa.list_(pa.string())) for start in range(0, len(rows), size)]
    dataset = datasets.Dataset(pa.table({"t": pa.chunked_array(pieces)}))
    expected = [[text for text in row or () if text and text.strip(" \t\n\v\f\r")] for row in rows]
    if any(expected):
        check(ColumnCaptions(dataset, ["t"], {}), expected)
    else:
        with pytest.raises(DataError, match="got none"):
            ColumnCaptions(dataset, ["t"], {})


def test_a_shuffled_dataset_keeps_its_texts():
    order = [4, 2, 5, 0, 1, 3]
    dataset = table(caption=ONE, more=SEVERAL).cast_column("image", datasets.Image(decode=False))
    samples = from_dataset(
        dataset.select(order), image="image", label=None, key=None, texts=("caption", "more"), limit=5, description={}
    )
    assert samples.captions is not None
    check(samples.captions, [TOGETHER[row] for row in order[:5]])
    assert [samples.digest(row) for row in range(5)] == [digest_bytes(FILES[row]) for row in order[:5]]


def test_texts_beside_a_folder_of_images(tmp_path: Path):
    lines = [{"file_name": f"{row}.png", "text": SEVERAL[row] or []} for row in (2, 0, 4)]
    for row in (0, 2, 4):
        (tmp_path / f"{row}.png").write_bytes(FILES[row])
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    check(captions_of(f"folder:{tmp_path}", "text"), [[], ["b", "c"], ["e", " f ", "g"]])


def test_captions_travel_and_say_where_they_are_from(tmp_path: Path):
    spec = made(tmp_path, caption=ONE, more=SEVERAL)
    samples = open_samples(spec, text_columns=("caption", "more"))
    assert samples.description == open_samples(spec).description
    captions = captions_of(spec, "caption", "more")
    columns = {"text_columns": ["caption", "more"]}
    assert captions.description == {"source": "parquet:made.parquet", "split": "train", "rows": 6} | columns
    captions.texts([0])
    pickled = pickle.dumps(captions)
    assert "Bären".encode() not in pickled  # the table's files are named, not copied
    check(pickle.loads(pickled), TOGETHER)  # noqa: S301
    assert open_samples(spec).captions is None  # type: ignore[attr-defined]


def test_rows_without_a_text_are_told(tmp_path: Path):
    heard = Heard()
    spec = made(tmp_path, caption=ONE, more=SEVERAL, both=[["a"]] * 6, none=[""] * 6)
    captions_of(spec, "caption", "more", events=heard)
    assert [text.split()[0] for text in heard.infos if "have no text" in text] == ["2"]
    heard = Heard()
    captions_of(spec, "both", events=heard)
    assert not any("text" in text for text in heard.infos)
    refuse(spec, "none", "6 rows", text_columns=("none",))
    check(captions_of(spec, "none", "both"), [["a"]] * 6)


def test_wrong_columns_are_refused_with_the_nearest_name(tmp_path: Path):
    spec = made(tmp_path, caption=ONE, number=list(range(6)), deep=[[["a"]]] * 6, label=[0] * 6)
    refuse(spec, "'capton'", "did you mean caption?", text_columns=("capton",))
    refuse(spec, "'zzz'", "caption, number", text_columns=("caption", "zzz"))
    refuse(spec, "'number'", "int64", text_columns=("number",))
    refuse(spec, "'image'", text_columns=("image",))
    refuse(spec, "'deep'", "list", text_columns=("deep",))
    refuse(spec, "twice", text_columns=("caption", "caption"))
    refuse(spec, "'labl'", "did you mean label?", label_column="labl")
    refuse(spec, "'imag'", "did you mean image?", image_column="imag")
    refuse("scenes", "'scenes'", "caption", text_columns=("caption",))


def test_other_bytes_than_utf8_are_named(tmp_path: Path):
    bad = pa.Array.from_buffers(pa.binary(), 6, pa.array([b"a", b"b", b"\xff", b"d", b"e", b"f"]).buffers())
    spec = made(tmp_path, caption=bad.view(pa.string()))
    captions = captions_of(spec, "caption")
    assert captions.texts([1, 3]) == [["b"], ["d"]]
    with pytest.raises(DataError, match=r"'caption'.* row 2"):
        captions.texts([2])

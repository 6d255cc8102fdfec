"""Columns of labels: which are classes, rows that lack one, and what is said of them."""

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openkit import FILES, refuse, saved, table

from teachonce.data.open import open_samples
from tests.heard import Heard


def test_whole_numbers_and_booleans_are_labels(tmp_path: Path):
    spec = saved(tmp_path, table(label=[3, 1, 2, 0, 1, 2], good=[True, False] * 3))
    assert open_samples(spec).classes == 4
    assert open_samples(spec).class_names is None
    samples = open_samples(spec, label_column="good")
    assert samples.labels is not None
    assert samples.labels.tolist() == [1, 0] * 3


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([[0], [1, 2], [0], [1], [0], [2]], ("one label a sample", "several")),
        ([0.5, 1.0, 0.1, 0.2, 0.3, 0.4], ("real numbers",)),
        ([0, 1, 2, -100, -2, 1], ("-100 in row 3", "2 such rows")),
        ([0, 1, 2, 2**40, 1, 2], (f"{2**40} in row 3", "6 rows")),
        ([0, 1, 2, 10**9, 1, 2], ("1000000000 in row 3", "6 rows")),  # an id: a class each would take all the memory
    ],
)
def test_labels_that_are_no_classes_are_refused(tmp_path: Path, labels: list[Any], words: tuple[str, ...]):
    spec = saved(tmp_path, table(label=labels))
    refuse(spec, *words, "--label-column")
    assert open_samples(spec, label_column="none").labels is None


@pytest.mark.parametrize("value", [2**53 + 1, 2**63 + 1, 2**64 - 1])
@pytest.mark.parametrize("other", [0, None])
def test_an_id_is_named_exactly_whether_rows_lack_labels_or_not(tmp_path: Path, value: int, other: int | None):
    columns = {"image": [{"bytes": file, "path": None} for file in FILES]}
    labels = pa.array([0, other, 2, value, 1, other], pa.uint64())
    pq.write_table(pa.table({**columns, "label": labels}), tmp_path / "made.parquet")
    refuse(f"parquet:{tmp_path / 'made.parquet'}", f"got {value} in row 3", "ids are not classes")


def test_a_label_beyond_the_names_is_refused(tmp_path: Path):
    features = datasets.Features({"image": datasets.Image(decode=False), "label": datasets.Value("int64")})
    columns = {"image": [{"bytes": file, "path": None} for file in FILES], "label": [0, 1, 2, 3, 0, 1]}
    dataset = datasets.Dataset.from_dict(columns, features=features)
    dataset.info.features["label"] = datasets.ClassLabel(names=["a", "b", "c"])
    dataset.save_to_disk(tmp_path / "saved")
    refuse(str(tmp_path / "saved"), "labels 0..2, or -1 for none, got 3 in row 3")


@pytest.mark.parametrize(
    ("column", "labels", "names"),
    [
        (pa.array(["b", "a", None, "b", "", "c"]).dictionary_encode(), [1, 0, -1, 1, -1, 2], ("a", "b", "c")),
        (pa.array(["b", "a", None, "b", " ", "c"], pa.large_string()), [1, 0, -1, 1, -1, 2], ("a", "b", "c")),
        (pa.array([3, 1, None, 0, 2, 2], pa.uint64()), [3, 1, -1, 0, 2, 2], None),
        (pa.array([3, 1, 0, 0, 2, 2]).dictionary_encode(), [3, 1, 0, 0, 2, 2], None),
        (pa.array([0, 1, -1, -1, 2, 2], pa.int8()), [0, 1, -1, -1, 2, 2], None),
        (pa.array([0.0, 1.0, float("nan"), None, 2.0, 2.0]), [0, 1, -1, -1, 2, 2], None),
        (pa.array(np.array([0, 1, 2, 0, 1, 2], np.float16)), [0, 1, 2, 0, 1, 2], None),
        (pa.array([True, None, False, True, True, True]), [1, -1, 0, 1, 1, 1], None),
        (pa.array([-1] * 6), None, None),
        (pa.nulls(6), None, None),
    ],
)
def test_rows_may_lack_a_label(tmp_path: Path, column: Any, labels: list[int] | None, names: tuple[str, ...] | None):
    cells = [{"bytes": file, "path": None} for file in FILES]
    pq.write_table(pa.table({"image": cells, "label": column}), tmp_path / "made.parquet")
    heard = Heard()
    samples = open_samples(f"parquet:{tmp_path / 'made.parquet'}", events=heard)
    assert (None if samples.labels is None else samples.labels.tolist()) == labels
    assert samples.class_names == names
    assert samples.labels is None or samples.labels.dtype == np.int32
    without = labels.count(-1) if labels else 6
    told = [text for text in [*heard.infos, *heard.warnings] if "have no label" in text]
    assert [text.split()[0] for text in told] == (
        [str(without)] if without and not pa.types.is_null(column.type) else []
    )


def test_classes_without_rows_and_names_that_look_alike_are_told(tmp_path: Path):
    heard = Heard()
    assert open_samples(saved(tmp_path, table(label=[1, 2, 3, 1, 2, 3])), events=heard).classes == 4
    assert "1 of the 4 classes" in heard.infos[0]
    heard = Heard()
    assert (
        open_samples(
            saved(tmp_path, table(label=["cat", "Cat", "cat ", "dog", "e\u0301", "\xe9"])), events=heard
        ).classes
        == 6
    )
    assert "2 classes" in heard.warnings[0]

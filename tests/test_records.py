"""Records: what is written is read back; what the types do not allow is refused, with its place."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from teachonce.bounds import CLOSED, MOST_COUNT, Above, Bounds, Count, Positive, Share
from teachonce.errors import CorruptError
from teachonce.records import REST, SPARSE, as_json, key, parse, read, to_json, write

Scalar = str | bool | int | float | None


@dataclass(frozen=True, kw_only=True)
class Part:
    __pydantic_config__: ClassVar = CLOSED

    size: tuple[int, int] | Positive
    kind: Annotated[Literal["a", "b"], key("class")] = "a"


@dataclass(frozen=True, kw_only=True)
class Whole:
    rows: Count
    share: Share | None
    parts: tuple[Part, ...] = ()
    named: Mapping[str, Part] = field(default_factory=dict)
    one: Annotated[Part | None, SPARSE] = None
    notes: Annotated[list[str], SPARSE] = field(default_factory=list)
    place: Path | None = None
    numbers: Annotated[Mapping[str, Scalar], REST] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.rows and self.share is None:
            raise ValueError("rows without a share")


def parsed(value: object, kind: type[Any] = Whole) -> Any:
    return parse(kind, json.loads(json.dumps(value)), "it", mend="Do")


PARTS = st.builds(
    Part, size=st.integers(1, MOST_COUNT) | st.tuples(st.integers(), st.integers()), kind=st.sampled_from("ab")
)
NAMES = st.text(max_size=3).filter(lambda name: name not in Whole.__dataclass_fields__)
WHOLES = st.builds(
    Whole,
    rows=st.integers(0, MOST_COUNT),
    share=st.floats(0, 1),
    parts=st.lists(PARTS, max_size=3).map(tuple),
    named=st.dictionaries(st.text(max_size=3), PARTS, max_size=2),
    one=st.none() | PARTS,
    place=st.sampled_from([None, Path("a/b")]),
    numbers=st.dictionaries(NAMES, st.none() | st.booleans() | st.integers() | st.text(max_size=3), max_size=3),
)


@given(st.lists(WHOLES, max_size=3))
def test_what_is_written_is_read_back(records: list[Whole]):
    assert parse(list[Whole], json.loads(json.dumps(as_json(records))), "it", mend="") == records


def test_a_file(tmp_path: Path):
    record = Whole(rows=2, share=0.5, one=Part(size=(1, 2)), numbers={"lr": 0.1})
    write(tmp_path / "a.json", record)
    assert read(Whole, tmp_path / "a.json", mend="") == record
    kept = json.loads((tmp_path / "a.json").read_text())
    assert kept == to_json(record)
    assert (kept["lr"], kept["one"]) == (0.1, {"size": [1, 2], "class": "a"})
    with pytest.raises(FileNotFoundError):
        read(Whole, tmp_path / "b.json", mend="")


def test_a_sparse_field_is_left_out_where_it_is_its_default():
    assert list(to_json(Whole(rows=0, share=None))) == ["rows", "share", "parts", "named", "place"]


def test_keys_that_are_not_declared_are_ignored_unless_the_record_is_closed():
    assert parsed({"rows": 1, "share": 1, "other": "a"}).numbers == {"other": "a"}

    @dataclass(frozen=True, kw_only=True)
    class Open:
        rows: int = 0

    assert parsed({"more": [1]}, Open) == Open()
    with pytest.raises(CorruptError, match=r"one\.more"):
        parsed({"rows": 0, "share": None, "one": {"size": 1, "more": 1}})


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"share": None}, "'rows' is missing"),
        ({"rows": -1, "share": 0.5}, "rows: "),
        ({"rows": 10**30, "share": 0.5}, "rows: "),
        ({"rows": True, "share": 0.5}, "rows: "),
        ({"rows": "1", "share": 0.5}, "rows: "),
        ({"rows": 1, "share": 1.5}, "share: "),
        ({"rows": 1, "share": None}, "rows without a share"),
        ({"rows": 0, "share": None, "parts": [{"size": 1}, {"size": 0}]}, r"parts\.1\.size"),
        ({"rows": 0, "share": None, "named": {"x": {"size": 1, "class": "c"}}}, r"named\.x"),
        ({"rows": 0, "share": None, "other": [1]}, "other"),
        ([], "object"),
        (None, "object"),
    ],
)
def test_what_the_types_do_not_allow_is_refused(value: Any, place: str):
    with pytest.raises(CorruptError, match=rf"it is not whole: .*{place}.* in a\.json") as caught:
        parse(Whole, value, "it", mend="Do", within="a.json")
    assert caught.value.mend == "Do"


def test_bounds():
    kind = Annotated[float, Bounds(min=1, max=2)]
    assert [parse(kind, value, "it", mend="") for value in (1, 1.5, 2)] == [1, 1.5, 2]  # type: ignore[arg-type]
    for wrong in (0.99, 2.01, "1", None):
        with pytest.raises(CorruptError):
            parse(kind, wrong, "it", mend="")  # type: ignore[arg-type]
    with pytest.raises(CorruptError):
        parse(Above, 0, "it", mend="")  # type: ignore[arg-type]


def test_values_of_numpy_and_paths_are_json():
    assert as_json({1: np.float32(0.5), "a": (Path("b"), np.int64(2))}) == {"1": 0.5, "a": ["b", 2]}

"""docs/format.md is enough: a reader written from that page alone, with the standard library, NumPy and xxhash."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash
from storekit import (
    ARRAYS,
    BLOCKS,
    CLASSES,
    FAILURES,
    FINGERPRINT,
    ROWS,
    VIEWS,
    build,
    head,
    labels,
    params,
    spec,
    stored_values,
)

from teachonce.cache import fingerprint_digest, to_stored
from teachonce.cache.documents import array_document
from teachonce.cache.dtypes import STORED
from teachonce.cache.layout import _NAME, Grid
from teachonce.digests import digest_array, digest_bytes

PAGE = (Path(__file__).parents[2] / "docs" / "format.md").read_text()
DTYPES = {
    "float16": "<f2",
    "uint16": "<u2",
    "float32": "<f4",
    "uint8": "u1",
    "int32": "<i4",
    "int64": "<i8",
    "uint64": "<u8",
}


def attributes(folder: Path) -> dict[str, Any]:
    document = json.loads((folder / "zarr.json").read_text())
    assert document["zarr_format"] == 3
    result: dict[str, Any] = document["attributes"]
    return result


def read_array(folder: Path) -> np.ndarray:
    """Section 2, 3 and 12: any array of the store."""
    document = json.loads((folder / "zarr.json").read_text())
    shape, chunk = document["shape"], document["chunk_grid"]["configuration"]["chunk_shape"]
    assert [codec["name"] for codec in document["codecs"]] == ["bytes"]
    result = np.empty(shape, DTYPES[document["data_type"]])
    for index in np.ndindex(*(-(-n // c) for n, c in zip(shape, chunk, strict=True))):
        data = (folder / "c" / "/".join(map(str, index))).read_bytes()
        assert len(data) == np.prod(chunk) * result.itemsize
        place = tuple(slice(i * c, (i + 1) * c) for i, c in zip(index, chunk, strict=True))
        part = result[place]
        part[...] = np.frombuffer(data, result.dtype).reshape(chunk)[tuple(slice(n) for n in part.shape)]
    return result


def digest(data: bytes) -> str:
    return xxhash.xxh3_128(data, seed=0).digest().hex()


def verify(root: Path, journal: str, seal: dict[str, Any], expected: set[str]) -> list[Any]:
    """Section 12: the records against the seal, every chunk against its record."""
    hasher, failed, seen = xxhash.xxh3_128(), [], set()
    for block in range(seal["blocks"]):
        data = (root / "journal" / journal / f"{block:06d}.json").read_bytes()
        hasher.update(data)
        record = json.loads(data)
        assert set(record) == {"block", "chunks", "failed"}
        assert record["block"] == block
        for file, value in record["chunks"].items():
            assert digest((root / file).read_bytes()) == value
        seen |= {re.sub(r"/c/.*", "", file) for file in record["chunks"]}
        failed += record["failed"]
    assert hasher.hexdigest() == seal["journal"]
    assert seen == expected
    assert len(failed) == seal["failed"]
    return failed


def test_a_reader_made_from_the_page(made: Path):
    root = attributes(made)
    assert (root["kind"], root["format"]) == ("teachonce.store", 1)
    assert (root["rows"], root["views"], root["block_rows"], root["identity"]) == (ROWS, VIEWS, 64, "array")
    samples = attributes(made / "samples")
    assert samples["sealed"] is True
    assert (samples["seal"]["rows"], samples["seal"]["blocks"]) == (ROWS, BLOCKS)
    of_samples = {"samples/digest", "samples/label", "samples/status", "views/params"}
    failed = verify(made, "samples", samples["seal"], of_samples)
    assert failed == [[row, code] for row, code in FAILURES.items()]
    np.testing.assert_array_equal(read_array(made / "samples/label"), labels())
    views = params(ROWS, VIEWS)
    views[sorted(FAILURES)] = np.nan
    np.testing.assert_array_equal(read_array(made / "views/params"), views)


def test_a_target_read_by_the_page(made: Path):
    target = attributes(made / "targets/teacher")
    assert target["sealed"] is True
    assert target["fingerprint_fields"] == FINGERPRINT
    canonical = json.dumps(FINGERPRINT, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert target["fingerprint"] == digest(canonical.encode())
    names = {f"targets/teacher/{name}" for name in (*target["arrays"], "status")}
    verify(made, "teacher", target["seal"], names)
    for file, value in {**target["head"]["chunks"], **target["seal"]["chunks"]}.items():
        assert digest((made / file).read_bytes()) == value
    for name, array in target["arrays"].items():
        expected = stored_values(name, ARRAYS[name])
        expected[sorted(FAILURES)] = np.nan if array["dtype"] == "float16" else 0x7FC0
        np.testing.assert_array_equal(read_array(made / "targets/teacher" / name), expected)
    np.testing.assert_array_equal(read_array(made / "targets/teacher/head/weight"), head()[0])
    assert target["head"]["classes"] == CLASSES
    assert read_array(made / "classes/teacher/mean").shape == (CLASSES, 32)


def test_a_row_is_where_the_page_says(made: Path):
    row, view, length, size, itemsize = 500, 1, 32, 64, 2
    start = (row % size) * length * itemsize
    data = (made / f"targets/teacher/image_embedding/c/{row // size}/{view}/0").read_bytes()
    expected = stored_values("image_embedding", ARRAYS["image_embedding"])[row, view]
    np.testing.assert_array_equal(np.frombuffer(data[start : start + length * itemsize], "<f2"), expected)


def test_every_key_and_file_is_on_the_page(made: Path):
    keys: set[str] = set()
    for place in ("", "samples", "targets/teacher"):
        found = attributes(made / place)
        keys |= {*found, *(found.get("seal") or {}), *(found.get("head") or {})}
    keys |= set(json.loads((made / "journal/teacher/000000.json").read_text()))
    keys -= set(json.loads(json.dumps(FINGERPRINT)))
    missing = [key for key in sorted(keys) if f"`{key}`" not in PAGE and f'"{key}"' not in PAGE]
    assert not missing
    for path in made.rglob("*"):
        if path.is_file() and path.name != "zarr.json":
            name = re.sub(r"/\d{6}\.json", "/bbbbbb.json", str(path.relative_to(made)).replace("teacher", "T"))
            whole = "head" in name or "classes" in name
            name = name if whole else re.sub(r"/c/\d+(/\d/0)?$", lambda m: "/c/b/v/0" if m[1] else "/c/b", name)
            assert f"`{name}`" in PAGE, name


def test_the_table_of_dtypes():
    for name, kind in STORED.items():
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` | `{kind.zarr}`"))
        cells = [cell.strip() for cell in row.split("|")[1:-1]]
        assert int(cells[2]) == kind.numpy.itemsize
        assert json.loads(cells[3].strip("`")) == kind.fill_json
        if kind.infinity is not None:
            fill = Grid(path="x", shape=(1,), chunk=(1,), dtype=name, axes=("row",)).fill()
            assert int(cells[4].strip("`"), 16) == int(fill.view(f"<u{kind.numpy.itemsize}")[0])
    assert array_document(Grid(path="x", shape=(1,), chunk=(1,), dtype="bfloat16", axes=("row",)))["attributes"] == {
        "dtype": "bfloat16"
    }


def test_the_worked_numbers():
    numbers = [int(number) for number in re.findall(r"`(\d{19,20})`", PAGE)]
    array = np.arange(4, dtype=np.uint8).reshape(2, 2)
    assert numbers == [digest_array(array), digest_bytes(b"teachonce")]
    assert numbers[0] == xxhash.xxh3_64(b"|u1 2,2\n\x00\x01\x02\x03").intdigest()
    fields = {"teacher": {"weights": "0a1b"}, "dtype": "float16"}
    assert f"the fingerprint `{fingerprint_digest(fields)}`" in " ".join(PAGE.split())
    assert f"`{_NAME.pattern}`" in PAGE


def test_the_record_on_the_page_is_one(tmp_path: Path):
    """It is of the last of 29 blocks."""
    build(tmp_path / "s.zarr", spec_=spec(rows=1797), failed={1796: "not-an-image"}, seal=False)
    example = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
    record = json.loads((tmp_path / "s.zarr/journal/teacher/000028.json").read_text())
    assert set(example) == set(record)
    assert example["failed"] == record["failed"]
    for file, value in example["chunks"].items():
        assert record["chunks"][file] == value


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, ">f4", ">i2"])
def test_identity_of_arrays(dtype: Any):
    array = np.arange(12).reshape(3, 2, 2).astype(dtype)
    little = array.astype(array.dtype.newbyteorder("<"))
    line = f"{little.dtype.str} 3,2,2\n".encode()
    expected = xxhash.xxh3_64(line + little.tobytes()).intdigest()
    assert digest_array(array) == expected
    assert digest_array(np.asfortranarray(array)) == expected
    assert digest_array(array.reshape(12)) != expected
    assert (
        digest_array(np.array(3, dtype=dtype))
        == xxhash.xxh3_64(f"{little.dtype.str} \n".encode() + np.array(3, dtype=little.dtype).tobytes()).intdigest()
    )


def test_bits_of_bfloat16_append_to_float32():
    bits = to_stored(np.array([1.0, -2.5], np.float32), "bfloat16")
    np.testing.assert_array_equal((bits.astype(np.uint32) << 16).view(np.float32), [1.0, -2.5])


def test_documents_against_their_seals(made: Path):
    """Sections 5 and 6: the root by its bytes, a sealed group's document without its own digest."""
    for place in ("samples", "targets/teacher"):
        document = json.loads((made / place / "zarr.json").read_text())
        value = document["attributes"]["seal"].pop("document")
        spelled = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        assert digest(spelled.encode()) == value
    samples = attributes(made / "samples")["seal"]
    assert digest((made / "zarr.json").read_bytes()) == samples["root"]
    target = attributes(made / "targets/teacher")
    assert target["samples"] == samples["journal"]
    begun = {key: value for key, value in target.items() if key not in ("sealed", "seal", "samples", "begun")}
    spelled = json.dumps(begun, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert digest(spelled.encode()) == target["begun"]


def test_unknown_attributes_are_ignored(tmp_path: Path):
    path = tmp_path / "s.zarr"
    build(path, seal=False)
    document = json.loads((path / "zarr.json").read_text())
    document["attributes"]["later"] = {"more": 1}
    (path / "zarr.json").write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")
    store = build(path)
    assert store.target("teacher").all("logits").shape == (ROWS, CLASSES)
    assert store.verify() == ["teacher"]

"""Files that are others in their place: git-lfs pointers, pages of HTML, nothing."""

from pathlib import Path

import numpy as np
import pytest
from imagekit import encode, noise

from teachonce.data.open import open_samples
from teachonce.engine.failed import tell_failed
from teachonce.errors import CorruptError, DataError, TeachonceError
from teachonce.fsio import read_file, read_json, require_regular
from teachonce.substitutes import POINTER, substitute

TEXT = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"


@pytest.mark.parametrize(
    ("head", "word"),
    [
        (TEXT.encode(), "git-lfs"),
        (b"", "empty"),
        (b"\xef\xbb\xbf \n<!doctype HTML>", "HTML"),
        (b"<HTML lang=en>", "HTML"),
        (b"<?xml version='1.0'?>", "XML"),
        (b"PK\x03\x04data", "pickle"),
        (b"\x80\x02}q\x00.", "pickle"),
    ],
)
def test_what_is_known(head: bytes, word: str):
    for data in (head, head + bytes(5000) if head else head):
        found = substitute(data)
        assert found is not None
        assert word in found[0]
        assert found[1]


@pytest.mark.parametrize("seed", range(8))
def test_images_tables_and_weights_are_not(seed: int):
    draw = np.random.default_rng(seed)
    files = [encode(noise(seed=seed)), b"PAR1", b"ARROW1", b'{"a": 1}', b"[]", b"version 2", b"\x80\x00{}", b" <svg/>"]
    files += [
        len(body).to_bytes(8, "little") + body for body in (b'{"a":{}}', bytes(draw.integers(32, 120, 90, np.uint8)))
    ]
    assert [substitute(file) for file in files] == [None] * len(files)


def test_whatever_is_read_is_no_pointer(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_text(TEXT)
    for read in (read_file, read_json, require_regular):
        with pytest.raises(CorruptError, match="git-lfs") as caught:
            read(path)
        assert caught.value.mend == POINTER[1]
    assert require_regular(path, pointer=True) == len(TEXT)
    path.write_text("<html></html>")
    assert read_file(path) == b"<html></html>"
    with pytest.raises(CorruptError, match="HTML"):
        read_json(path)


@pytest.mark.parametrize("place", ["data.parquet", "data.arrow", "data/part.parquet", "data/part.arrow"])
@pytest.mark.parametrize(("text", "word"), [(TEXT, "git-lfs"), ("<html>no</html>", "HTML")])
def test_tables(place: str, text: str, word: str, tmp_path: Path):
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    with pytest.raises(TeachonceError, match=word) as caught:
        open_samples(str(tmp_path / place.partition("/")[0]))
    assert isinstance(caught.value, DataError | CorruptError)
    assert path.name in caught.value.message


def test_images_are_named_where_they_fail(tmp_path: Path):
    files = [encode(noise(seed=0)), TEXT.encode(), b"<html></html>", b"neither"]
    for index, file in enumerate(files):
        folder = tmp_path / "abcd"[index]
        folder.mkdir()
        (folder / "0.png").write_bytes(file)
    samples = open_samples(f"folder:{tmp_path}")
    told = tell_failed(samples, dict.fromkeys(range(1, 4), "not-an-image")).split("; ")
    assert ["git-lfs" in told[0], "HTML" in told[1], "(not-an-image)" in told[2]] == [True] * 3

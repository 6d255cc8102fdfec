"""Help, exit codes, keys of JSON, fingerprints and identities are those of the golden files.

A change that means to alter them renews the files, `python -m tests.golden --write`, and shows them in its diff.
"""

from pathlib import Path

import pytest

from tests.golden import files
from tests.golden.masks import changes, masked


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")  # of --compile
@pytest.mark.parametrize("part", files.PARTS)
def test_as_kept(part: str):
    found = files.differences(part, files.make(part))
    if found:
        pytest.fail(f"{found}If this is meant: python -m tests.golden {part} --write", pytrace=False)


def test_a_difference_is_shown_and_can_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "FOLDER", tmp_path)
    files.write("help", {"help/a.txt": "old\n", "help/gone.txt": "gone\n"})
    found = files.differences("help", {"help/a.txt": "new\n", "help/b.txt": "b\n"}).splitlines()
    assert {"-old", "+new", "-gone", "+b"} <= set(found)
    files.write("help", {"help/a.txt": "new\n"})
    assert [path.name for path in (tmp_path / "help").iterdir()] == ["a.txt"]
    assert files.differences("help", {"help/a.txt": "new\n"}) == ""


def test_digests_are_masked_after_they_are_compared():
    old, new = {"a": {"b": "0" * 32, "c": 1}}, {"a": {"b": "f" * 32, "c": 1, "d": None}}
    assert changes(old, new) == {"a.b": "<digest>", "a.d": None}
    assert changes(new, old) == {"a.b": "<digest>", "a.d": "<absent>"}
    assert masked({"rule": ["pillow-13", "pillow"], "n": 2}) == {"rule": ["<rule>", "pillow"], "n": 2}

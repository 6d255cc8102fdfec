"""`teachonce methods`: what there is, from the index, and what a store has for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from teachonce import losses
from teachonce.errors import InputError, StoreMissingError
from teachonce.options.methods import LOSSES, METHODS, completions, takes
from teachonce.stages.methods import methods
from tests.engine.enginekit import make_store


def test_all_of_them():
    result = methods()
    assert [one.name for one in result.methods] == list(METHODS)
    assert result.store is None
    assert {one.sample_bytes for one in result.methods} == {None}


def test_bytes_of_a_sample(tmp_path: Path):
    make_store(tmp_path / "s.zarr")  # float16, 32 wide, 10 classes
    found = {one.name: one.sample_bytes for one in methods(store=tmp_path / "s.zarr").methods}
    assert found["ce"] == found["clip-embed-kd"] == 0
    assert (found["kd"], found["clip-teacher-kd"], found["cifd"]) == (20, 64, 84)
    assert [one.name for one in methods("kd+clip-teacher-kd").methods] == ["kd", "clip-teacher-kd"]
    with pytest.raises(StoreMissingError):
        methods(store=tmp_path / "s.zarr", target="other")


def test_unknown_methods():
    with pytest.raises(InputError) as caught:
        methods("clip-embd-kd")
    assert "Did you mean clip-embed-kd?" in caught.value.mend


def test_the_index_is_read_without_torch():
    code = (
        "import sys, teachonce.options.methods as m; m.completions(''); print('torch' in sys.modules, len(m.METHODS))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", str(len(METHODS))]


def test_completions():
    assert completions("") == list(METHODS)
    assert completions("kd+c") == [f"kd+{name}" for name in METHODS if name != "kd"]


def test_what_a_sum_takes():
    assert (takes("kd"), takes("cifd"), takes("kd+cifd"), takes("none-such")) == (None, "rdm", "rdm", None)


def test_losses_are_public():
    assert set(LOSSES) <= set(dir(losses))
    for name in LOSSES:
        assert getattr(losses, name).__name__ == name
    with pytest.raises(AttributeError, match="kdd"):
        _ = losses.kdd

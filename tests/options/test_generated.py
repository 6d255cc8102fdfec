"""The files that are made from the options classes are those that are kept, and hold the calls of users."""

import inspect
from pathlib import Path

import generate
import pytest
from mypy import api

import teachonce
from teachonce.options.opt import options_of

CALLS = """
from pathlib import Path
import teachonce

trained = teachonce.train(data="digits", student="cnn-2", out=Path("run"), milestones=[3, 5], rdm="rdm-10")
teachonce.train(teachonce.TrainOptions(data="digits", student="cnn-2", out=Path("run")))
teachonce.train(data="digits", student="cnn-2", out="run", settings=None)
teachonce.rdm(store="s.zarr", distortion_weight=10)
teachonce.report(["run"], out="page.html")
top1: float | None = trained.val_top1
"""
WRONG = {
    "a wrong name": "teachonce.train(data='d', student='s', out='o', epoch=3)",
    "a wrong type": "teachonce.train(data='d', student='s', out='o', epochs='3')",
}


@pytest.mark.parametrize("name", generate.FILES)
def test_a_generated_file_is_what_the_options_give(name: str):
    assert (generate.ROOT / name).read_text() == generate.FILES[name](), f"{name} is stale: run scripts/generate.py"


def test_calls_are_checked_by_mypy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(generate.ROOT)
    good = tmp_path / "good.py"
    good.write_text(CALLS)
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import teachonce\n" + "\n".join(WRONG.values()) + "\n")
    told, problems, code = api.run(["--no-error-summary", str(good), str(wrong)])  # with the cache of `make types`
    lines = [line for line in told.splitlines() if ": error:" in line]
    assert (code, problems) == (1, "")
    assert {line.split(":")[1] for line in lines} == {"2", "3"}
    assert {Path(line.split(":")[0]).name for line in lines} == {wrong.name}  # mypy caches errors with the first folder


@pytest.mark.parametrize("name", generate.verbs())
def test_the_signature_and_the_docstring_have_every_option(name: str):
    function = getattr(teachonce, name)
    known = options_of(generate.verbs()[name].kind)
    assert set(inspect.signature(function).parameters) == {*known, "events"}
    assert all(f"{option}: " in (function.__doc__ or "") for option in known)


def test_settings_are_documented_as_python_takes_them():
    documented = (teachonce.train.__doc__ or "").partition("settings: ")[2].partition("\n")[0]
    assert '{"temperature": 4}' in documented

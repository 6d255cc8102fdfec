"""The scripts that count code and measure starts."""

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
CODE = '''"""A module."""
from typing import Any
import typing


def one(value: Any) -> typing.Any:
    """Say it."""
    return value


async def two() -> None: ...
'''


@pytest.fixture(scope="module")
def scripts() -> dict[str, ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        import bare_loop  # type: ignore[import-not-found]
        import count_code  # type: ignore[import-not-found]
        import start_time  # type: ignore[import-not-found]

        return {"bare": bare_loop, "count": count_code, "start": start_time}


def write(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(CODE)
    return root


def test_code_is_counted(scripts: dict[str, ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    old = write(
        tmp_path / "old", "teachonce/a.py", "teachonce/b/c.py", "scripts/s.py", "tests/kit.py", "tests/test_a.py"
    )
    new = write(tmp_path / "new", "teachonce/a.py")
    out = tmp_path / "counts.json"
    scripts["count"].main(["--root", str(old), "--root", str(new), "--json", str(out)])
    found = json.loads(out.read_text())
    one = found[str(new)]["all"]
    assert (one["lines"], one["files"], one["functions"], one["any"]) == (11, 1, 2, 2)
    assert (one["median_length"], one["max_length"]) == (2, 3)
    assert [found[str(old)][part]["files"] for part in ("teachonce", "scripts", "tests", "all")] == [2, 1, 1, 4]
    assert found[str(old)]["all"]["nodes"] == 4 * one["nodes"] > 100
    assert capsys.readouterr().out.splitlines()[-1].split()[-1] == "0.250"


def test_one_more_node_is_one_more(scripts: dict[str, ModuleType], tmp_path: Path):
    path = write(tmp_path, "a.py") / "a.py"
    before = scripts["count"].count([path]).nodes
    path.write_text(CODE + "pass\n")
    assert scripts["count"].count([path]).nodes == before + 1


def test_a_folder_without_code_is_refused(scripts: dict[str, ModuleType], tmp_path: Path):
    with pytest.raises(SystemExit) as ended:
        scripts["count"].main(["--root", str(tmp_path)])
    assert ended.value.code == 2


def test_starts_are_measured(scripts: dict[str, ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "starts.json"
    roots = ["--root", str(ROOT), "--root", str(write(tmp_path / "other", "teachonce/__init__.py"))]
    scripts["start"].main(["--starts", "1", "--arms", "import teachonce", *roots, "--json", str(out)])
    kept = json.loads(out.read_text())
    for name, arms in kept["cpu_seconds"].items():
        (seconds,) = arms["import teachonce"]
        assert 0 < seconds < 5
        told = kept["summary"][name]["import teachonce"]
        assert (told["median_s"], told["min_s"], told["of_import_torch"]) == (seconds, seconds, None)
    assert len(kept["summary"]) == 2
    assert "import teachonce" in capsys.readouterr().out


def test_ratios_are_those_of_medians(scripts: dict[str, ModuleType]):
    found = scripts["start"].summary({"import torch": [2.0, 1.0, 9.0], "train cnn": [3.0, 5.0]})
    assert found["train cnn"] == {
        "median_s": 4.0,
        "min_s": 3.0,
        "of_import_torch": 2.0,
        "limit_s": None,
        "limit_of_import_torch": 1.5,
    }


def test_a_start_that_fails_is_no_measurement(scripts: dict[str, ModuleType], tmp_path: Path):
    checkout = scripts["start"].Checkout(name="here", root=ROOT, python=sys.executable, folder=tmp_path)
    with (tmp_path / "log").open("wb") as log, pytest.raises(RuntimeError, match="ended with 3"):
        checkout.start(("-c", "raise SystemExit(3)"), log)


def test_a_step_beside_the_bare_loops(scripts: dict[str, ModuleType]):
    for size in (32, 16):
        found = scripts["bare"].measured("cnn-2", size, rows=64, batch=32, pairs=2, steps=1)
        assert (found["student"], found["size"]) == ("cnn-2", size)
        low, high = found["quartiles"]
        assert 0.1 < low <= found["ratio"] <= high < 10
        assert set(found["step_ms"]) == {"ours", "bare"}

"""No folder and no recipe runs code unless the user says so; and nothing asks on stdin."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from foreignkit import ATTACKS, HARMLESS, MODULE, code, factory
from typer.testing import CliRunner, Result

from teachonce.cli import app
from teachonce.errors import ModelError
from teachonce.models.students import load_student
from teachonce.stages.evaluate import evaluate
from tests.foreign.conftest import DATA, HERE

LIVE = ("--source", "live", "--method", "kd", "--student", "cnn-2")
SMALL = ("--epochs", "1", "--batch-size", "16")
COMMANDS = {
    "evaluate": ("evaluate", "--run", "run", *DATA, "--split", "test", *HERE),
    "embed a run": ("embed", "--teacher", "run", "--store", "new.zarr", *DATA, *HERE),
    "embed a folder": ("embed", "--teacher", "run/best", "--store", "new.zarr", *DATA, *HERE),
    "live": ("train", "--teacher", "run", *LIVE, "--out", "new", *DATA, *SMALL, *HERE),
    "config": ("train", "--student", "transformers:run/best", "--out", "new", *DATA, *SMALL, *HERE),
    "report": ("report", "run", "--out", "report.html"),
    "plot": ("plot", "cost", "--runs", "run", "--out", "cost.svg"),
    "estimate": ("estimate", "--teacher", "run", "--seconds", "0.1", *DATA, *HERE),
    "run": ("run", "recipe.toml"),
    "tune": ("tune", "recipe.toml", "--trials", "1"),
}
RECIPE = """
[data]
train = "digits"
limit = 60
[teacher]
model = "run"
[store]
path = "new.zarr"
[[train]]
student = "cnn-2"
method = "kd"
epochs = 1
batch_size = 16
"""


def call(*words: str) -> Result:
    """A command line whose user answers yes to whatever is asked."""
    return CliRunner().invoke(app, [*words, "--json"], prog_name="teachonce", input="y\n" * 20)


def told(result: Result) -> dict[str, str]:
    error: dict[str, str] = json.loads(result.stdout)["error"]
    assert result.exit_code == 1
    assert "unexpected" not in error["message"]
    assert not any("\n" in text for text in error.values())
    return error


SLOW = {"run": ("auto_map",), "tune": ("factory",)}
"""Which attacks are tried where each takes seconds: they load a teacher as the other commands do."""


@pytest.mark.parametrize(
    ("command", "attack"), [(command, attack) for command in COMMANDS for attack in SLOW.get(command, ATTACKS)]
)
def test_no_command_runs_code_of_a_folder(home: Path, tmp_path: Path, command: str, attack: str):
    mark = tmp_path / "mark"
    (home / "recipe.toml").write_text(RECIPE)
    ATTACKS[attack](home / "run", mark)
    done = call(*COMMANDS[command])
    assert not mark.exists()
    assert "[y/N]" not in done.output
    if done.exit_code:
        assert told(done)["kind"] in ("model", "corrupt")
    else:
        assert attack in HARMLESS or command in ("report", "plot", "config")


def test_bench_live_runs_no_code_of_a_folder(home: Path, tmp_path: Path):
    factory(home / "run", tmp_path / "mark")
    done = call("bench", "live", "--teacher", "run", "--student", "cnn-2", "--rounds", "1", "--rows", "32", *DATA[:2])
    assert told(done)["kind"] == "model"
    assert not (tmp_path / "mark").exists()


@pytest.fixture(autouse=True)
def not_imported() -> Iterator[None]:
    """The module of a stranger is another one in each test."""
    yield
    sys.modules.pop(MODULE, None)


class TestAFactoryOfARun:
    def test_the_file_that_would_run_is_named(self, home: Path, tmp_path: Path):
        factory(home / "run", tmp_path / "mark")
        error = told(call(*COMMANDS["evaluate"]))
        assert str(home / f"{MODULE}.py") in error["message"]
        assert "--trust-remote-code" in error["mend"]

    def test_of_a_package_whose_own_code_is_not_run_to_find_it(self, home: Path, tmp_path: Path):
        factory(home / "run", tmp_path / "mark")
        (home / "package").mkdir()
        for name in ("__init__.py", "inner.py"):
            (home / "package" / name).write_text(code(tmp_path / "mark"))
        spec = json.loads((home / "run/best/student.json").read_text()) | {"spec": "package.inner:make"}
        (home / "run/best/student.json").write_text(json.dumps(spec))
        with pytest.raises(ModelError) as caught:
            load_student("run")
        assert str(home / "package" / "inner.py") in caught.value.message
        assert not (tmp_path / "mark").exists()

    def test_named_again_or_allowed_it_runs(self, home: Path, tmp_path: Path):
        mark = tmp_path / "mark"
        factory(home / "run", mark)
        for allowed in (("--student", f"{MODULE}:make"), ("--trust-remote-code",)):
            error = told(call(*COMMANDS["evaluate"], *allowed))
            assert "the factory failed" in error["message"]
            assert mark.exists()
            mark.unlink()
            sys.modules.pop(MODULE)

    @pytest.mark.parametrize("command", ["bench live", "estimate"])
    def test_allowed_it_runs_as_a_teacher(self, home: Path, tmp_path: Path, command: str):
        factory(home / "run", tmp_path / "mark")
        live = ("bench", "live", "--teacher", "run", "--student", "cnn-2", "--rounds", "1", "--rows", "32", *DATA[:2])
        error = told(call(*(COMMANDS | {"bench live": live})[command], "--trust-remote-code"))
        assert "the factory failed" in error["message"]
        assert (tmp_path / "mark").exists()

    def test_another_name_does_not_do(self, home: Path, tmp_path: Path):
        factory(home / "run", tmp_path / "mark")
        with pytest.raises(ModelError):
            evaluate(run="run", data="digits", limit=60, student="json:loads")
        assert not (tmp_path / "mark").exists()


class TestAConfigThatIsCalledLikeAFactory:
    """`transformers:vit`: a folder, and no code."""

    def test_in_a_recipe(self, home: Path):
        (home / "run" / "best").rename(home / "vit")
        (home / "recipe.toml").write_text(RECIPE.replace("cnn-2", "transformers:vit").replace("run", "vit"))
        result = call("run", "recipe.toml", "--dry-run")
        assert result.exit_code == 0, result.stdout


class TestARecipe:
    @pytest.fixture
    def recipe(self, home: Path, tmp_path: Path) -> Path:
        """A downloaded folder: a recipe, and a module beside it."""
        folder = home / "sent"
        folder.mkdir()
        (folder / f"{MODULE}.py").write_text(code(tmp_path / "mark"))
        return folder / "recipe.toml"

    @pytest.mark.parametrize("verb", ["run", "tune"])
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('student = "cnn-2"', f'student = "{MODULE}:make"'),
            ('model = "run"', f'model = "{MODULE}:make"'),
            ('model = "run"', f'train = {{student = "{MODULE}:make"}}'),
            ('model = "run"', 'model = "../run/best"\ntrust_remote_code = true'),
        ],
    )
    def test_it_cannot_allow_itself(self, recipe: Path, tmp_path: Path, verb: str, old: str, new: str):
        recipe.write_text(RECIPE.replace(old, new))
        for words in ((), ("--dry-run",)):
            assert told(call(verb, str(recipe), *words))["kind"] == "model"
        assert not (tmp_path / "mark").exists()

    def test_allowed_its_module_is_found_beside_it(self, recipe: Path, tmp_path: Path):
        recipe.write_text(RECIPE.replace('student = "cnn-2"', f'student = "{MODULE}:make"'))
        error = told(call("run", str(recipe), "--trust-remote-code", "--dry-run"))
        assert "the factory failed" in error["message"]
        assert (tmp_path / "mark").exists()
        sys.modules.pop(MODULE)


NETWORK = """
from torch import nn
from teachonce.types import InputSpec
class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.input, self.embedding_dim = InputSpec(height=8, width=8), 4
        self.body, self.top = nn.Linear(192, 4), nn.Linear(4, classes)
    def embed(self, x):
        return self.body(x.flatten(1))
    def head(self, e):
        return self.top(e)
def make(classes, image_size=None):
    return Net(classes)
"""
TRAIN = ("train", *DATA, *HERE, *SMALL, "--student", "net_here:make", "--out", "new")
STARTS = {
    "script": (str(Path(sys.executable).with_name("teachonce")), "run", "r.toml", "--trust-remote-code"),
    "module": (sys.executable, "-m", "teachonce", *TRAIN),
}
"""The first starts the second by itself, for the step of its recipe."""


@pytest.mark.parametrize("start", STARTS)
def test_both_ways_to_start_find_a_factory_here_and_no_library(home: Path, start: str):
    """A file in the working folder is a factory that the user names, and never a library."""
    (home / "net_here.py").write_text(NETWORK)
    for name in ("zarr", "safetensors", "transformers", "torchvision"):
        (home / f"{name}.py").write_text("raise SystemExit(99)\n")
    recipe = RECIPE[: RECIPE.index("[teacher]")] + '[[train]]\nstudent = "net_here:make"\nepochs = 1\nbatch_size = 16\n'
    (home / "r.toml").write_text(recipe)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    done = subprocess.run(
        [*STARTS[start], "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["comparison" if start == "script" else "epochs"]

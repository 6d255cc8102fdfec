"""An option that is added to an options class, in one file, is everywhere: a patched copy of the package shows it."""

import json
import re
from pathlib import Path

import pytest

from tests.patched import answer, copied

FIELD = '    made_up: Annotated[int, Opt(help="A made-up option.", min=2)] = 3\n'
CLASSES = {"train": "TrainOptions", "embed": "EmbedOptions", "rdm": "RdmOptions"}
RECIPE = """
[data]
train = "digits"
limit = 80
[teacher]
model = "cnn-2"
[store]
path = "s.zarr"
made_up = 4
[[rdm]]
distortion_weight = [10.0]
made_up = 5
[[train]]
student = "cnn-2"
epochs = 1
batch_size = 32
made_up = [6, 7]
"""
LOOK = """
import inspect, json, sys
import generate, teachonce
from teachonce.cli import app
from teachonce.options.verbs import VERBS
from teachonce.engine.rdm.settings import training_of
from teachonce.options.identity import chosen_of
from teachonce.options.make import make
from teachonce.options.words import command_words, given_options
from teachonce.pipeline.recipe import load_recipe
from teachonce.pipeline.steps import make_steps
from typer.testing import CliRunner

steps = {step.verb: step for step in make_steps(load_recipe("recipe.toml"))}
told = {}
for verb in ("train", "embed", "rdm"):
    options = make(VERBS[verb].kind, steps[verb].options)
    help_text = CliRunner().invoke(app, [verb, "--help-all"]).output
    told[verb] = {
        "help": "--made-up" in help_text,
        "usage": CliRunner().invoke(app, [verb, "--made-up", "x"]).exit_code,
        "words": command_words(VERBS[verb].kind, given_options(options)),
        "identity": (training_of(options) if verb == "rdm" else chosen_of(options)).get("made_up"),
        "signature": str(inspect.signature(getattr(teachonce, verb)).parameters["made_up"]),
    }
told["stub"], told["page"] = generate.stub().count("made_up: int = ..."), generate.page().count("| `--made-up` | `3` |")
json.dump(told, sys.stdout)
"""


@pytest.fixture(scope="module")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy in which three classes have one field more, and a recipe."""
    home = copied(tmp_path_factory.mktemp("patched"))
    for verb, name in CLASSES.items():
        path = home / "teachonce" / "options" / f"{verb}.py"
        code, count = re.subn(rf'(class {name}.*?""".*?"""\n\n)', rf"\1{FIELD}", path.read_text(), flags=re.S)
        assert count == 1
        path.write_text(code)
    (home / "recipe.toml").write_text(RECIPE)
    return home


def test_help_recipe_identity_command_signature_stub_and_page_have_it(patched: Path):
    told = answer(patched, "-c", LOOK)
    for verb, value in (("train", 7), ("embed", 4), ("rdm", 5)):
        assert told[verb]["help"]
        assert told[verb]["usage"] == 2
        assert " ".join(told[verb]["words"]).count(f"--made-up {value}") == 1
        assert told[verb]["identity"] == value
        assert told[verb]["signature"] == "made_up: int = 3"
    assert (told["stub"], told["page"]) == (3, 3)


def test_a_child_process_has_it_and_its_run_is_known_by_it(patched: Path):
    data, trainings = RECIPE[: RECIPE.index("[teacher]")], RECIPE[RECIPE.index("[[train]]") :]
    (patched / "plain.toml").write_text(f'{data}[run]\nthreads = 1\ndevice = "cpu"\n{trainings}')
    done = answer(patched, "-m", "teachonce", "run", "plain.toml", "--json")
    runs = [Path(patched, step["result"]["run"]) for step in done["steps"]]
    assert [path.name for path in runs] == ["ce-cnn-2-s0-made-up=6", "ce-cnn-2-s0-made-up=7"]
    assert [json.loads((path / "run.json").read_text())["settings"]["made_up"] for path in runs] == [6, 7]
    words = json.loads((runs[0] / "run.json").read_text())["command"]
    assert (words[:2], words[words.index("--made-up") + 1]) == (["teachonce", "train"], "6")
    again = answer(patched, "-m", "teachonce", "run", "plain.toml", "--dry-run", "--json")
    assert [step["action"] for step in again["steps"]] == ["reuse", "reuse"]

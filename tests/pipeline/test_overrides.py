"""Keys of a recipe given again on the command line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from teachonce.cli import app
from teachonce.errors import InputError
from teachonce.pipeline.recipe import Recipe, load_recipe

TEXT = """
[data]
train = "digits"
limit = 100
[teacher.train]
student = "cnn-4"
epochs = 9
[store]
path = "digits.zarr"
batch-size = 16
[[train]]
student = "cnn-2"
epochs = 3
[[train]]
student = "cnn-2"
method = ["kd", "clip-embed-kd"]
seed = [0, 1]
[train.set.clip-embed-kd]
scale = 5.0
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(TEXT)
    return path


def load(path: Path, *overrides: str) -> Recipe:
    return load_recipe(path, overrides=overrides)


def test_a_key_of_a_table(path: Path):
    recipe = load(path, "data.limit=50", "data.test=digits", 'data.test-split = "test"')
    assert (recipe.data.limit, recipe.data.test, recipe.data.test_split) == (50, "digits", "test")
    assert load(path).data.limit == 100


def test_a_key_with_dashes_is_the_same_key(path: Path):
    assert load(path, "store.batch_size=32").store.options.batch_size == 32
    assert load(path, "store.batch-size=32").store.options.batch_size == 32


def test_a_key_of_every_table_of_an_array(path: Path):
    recipe = load(path, "train.epochs=1", "train.seed=[4]")
    assert {(run.options.epochs, run.options.seed) for run in recipe.trainings} == {(1, 4)}


def test_a_list_expands(path: Path):
    assert len(load(path, "train.lr=[1e-3, 1e-4]").trainings) == 2 * len(load(path).trainings)


def test_a_table_in_a_table(path: Path):
    teacher = load(path, "teacher.train.epochs=2").teacher
    assert teacher.train.options.epochs == 2
    assert teacher.train.options.student == "cnn-4"


def test_a_setting_of_a_method(path: Path):
    path.write_text(TEXT.replace('[[train]]\nstudent = "cnn-2"\nepochs = 3\n', ""))
    runs = load(path, "train.set.clip-embed-kd.per_class=[5, 'all']", "train.set.kd.temperature=2").trainings
    settings = [run.options.settings for run in runs]
    assert settings.count({"kd.temperature": 2}) == 2
    for per_class in (5, "all"):
        assert settings.count({"clip-embed-kd.scale": 5.0, "clip-embed-kd.per_class": per_class}) == 2


def test_a_table_that_is_not_there_is_added(path: Path):
    assert load(path, "run.jobs=2", "report.out=page.html").report.out == (Path("page.html"),)


@pytest.mark.parametrize("override", ["limit=3", "data.limit", "=3", "data.=3", ".limit=3", "", "train.set.=1"])
def test_what_cannot_be_read_is_refused(path: Path, override: str):
    with pytest.raises(InputError):
        load(path, override)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.limt=3", "did you mean limit"),
        ("data.limit=many", "got 'many'"),
        ("dta.limit=3", "did you mean data"),
        ("rdm.epochs=3", r"no \[\[rdm\]\]"),
        ("train.set.kdd.temperature=3", "kdd"),
        ("train.epochs.more=3", "epochs"),
    ],
)
def test_other_keys_are_told_as_those_of_the_file(path: Path, override: str, words: str):
    with pytest.raises(InputError, match=words):
        load(path, override)


def test_the_command_takes_several(path: Path, tmp_path: Path):
    words = ["run", str(path), "--dry-run", "--json", "--out", str(tmp_path / "runs")]
    result = CliRunner().invoke(app, [*words, "--set", "train.seed=7", "--set", "train.method=kd"])
    assert result.exit_code == 1, result.output
    result = CliRunner().invoke(app, [*words, "--set", "train.seed=7", "--set", "store.name=other"])
    assert result.exit_code == 0, result.output
    assert "kd-cnn-2-s7" in result.stdout
    assert "s0" not in result.stdout

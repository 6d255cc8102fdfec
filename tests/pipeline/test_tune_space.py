"""Where is searched: what the recipe may say, what is searched where it says nothing, and what a variant is."""

from pathlib import Path
from typing import Any

import pytest

from teachonce.errors import InputError
from teachonce.methods import make_method
from teachonce.options.methods import METHODS
from teachonce.options.search import Span
from teachonce.pipeline.recipe import Recipe, load_recipe
from teachonce.pipeline.steps import make_steps
from teachonce.pipeline.tune.dims import nearest, read_space
from teachonce.pipeline.tune.space import DEFAULTS, Space, space_of
from teachonce.pipeline.tune.variants import find_variants

HEAD = '[data]\ntrain = "digits"\n[teacher]\nmodel = "cnn-4"\n[store]\npath = "s.zarr"\n'
METHOD_NAMES = ["kd", "clip-embed-kd", "cifd"]


def load(folder: Path, text: str) -> Recipe:
    path = folder / "r.toml"
    path.write_text(HEAD + text)
    return load_recipe(path)


def spaces(folder: Path, text: str, **given: Any) -> list[Space]:
    recipe = load(folder, text)
    dims, problems = read_space(given, [training.options.method for training in recipe.trainings])
    assert not problems
    return [space_of(step, dims) for step in make_steps(recipe) if step.training is not None]


def test_keys_are_settings_or_options_of_the_training():
    raw = {"lr": {"low": 1, "high": 2}, "kd": {"temperature": [1, 4]}, "clip-embed-kd.scale": {"low": 1, "high": 9}}
    dims, problems = read_space(raw, METHOD_NAMES)
    assert not problems
    assert dims == {
        "lr": Span(1.0, 2.0),
        "kd.temperature": (1, 4),
        "clip-embed-kd.scale": Span(1.0, 9.0),
    }


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("lr", [], "is empty: there is nothing to choose from"),
        ("lr", {}, "low is needed; high is needed"),
        ("lr", {"low": 1}, "high is needed"),
        ("lr", {"low": 2, "high": 1}, "is empty: low 2 is not below high 1"),
        ("lr", {"low": 1, "high": 1}, "is empty"),
        ("lr", {"low": 0, "high": 1, "log": True}, "so low must be positive, got 0"),
        ("lr", {"low": float("nan"), "high": 1}, "low: expected "),
        ("lr", {"low": 0, "high": 1, "lg": True}, "lg is unknown, did you mean log?"),
        ("lr", 3, "must be a list or {low = .., high = .., log = ..}, got 3"),
        ("lr", [1, [2]], "got [2] in it"),
        ("lr", [1, 2, 1], "has a value twice"),
        ("batch_size", {"low": 1, "high": 2}, "takes a list of choices"),
        ("epochs", [1, 2], "cannot be searched, expected METHOD.NAME or one of lr, "),
        ("dkd.alpha", [1, 2], "is for dkd, expected METHOD.NAME of ['cifd', 'clip-embed-kd', 'kd']"),
    ],
)
def test_spaces_that_cannot_be(key: str, value: Any, told: str):
    dims, (problem,) = read_space({key: value}, METHOD_NAMES)
    assert not dims
    assert problem.startswith(f"[tune.space] {key} ")
    assert told in problem


def test_every_default_is_a_number_of_its_method():
    names = [name.rpartition(".") for name in DEFAULTS if "." in name]
    for method, _, name in names:
        settings = make_method(method, {}, ("x",) if METHODS[method].needs_extras else ()).settings
        assert type(getattr(settings, name)) is float
    assert {method for method, _, _ in names} == METHODS.keys() - {"ce"}


def test_defaults_lie_around_the_recipes_own_values(tmp_path: Path):
    train = (
        '[[train]]\nstudent = "cnn-2"\nmethod = "kd"\nlr = 0.01\nset = {"kd.temperature" = 20, "kd.kd_weight" = 2}\n'
    )
    (space,) = spaces(tmp_path, train)
    assert space.own == {"lr": 0.01, "kd.temperature": 20.0, "kd.kd_weight": 2.0}
    assert space.dims["lr"] == Span(pytest.approx(0.002), pytest.approx(0.05), log=True)
    assert space.dims["kd.temperature"] == Span(1.0, 20.0, log=True)
    assert space.dims["kd.kd_weight"] == Span(pytest.approx(0.2), pytest.approx(20), log=True)
    assert space.start() == space.own


def test_what_has_no_effect_is_not_searched(tmp_path: Path):
    train = '[[train]]\nstudent = "cnn-2"\nmethod = ["ce", "cifd"]\nrdm = ["", "rdm-10"]\n'
    ce, alone, full = (set(space.dims) for space in spaces(tmp_path, train))
    always = {"lr", "cifd.temperature", "cifd.kl_weight", "cifd.embedding_weight", "cifd.rate_weight"}
    assert ce == {"lr"}
    assert alone == always
    assert full == always | {"cifd.rdm_weight", "cifd.kd_dropout"}
    off = 'set = {"cifd.ibm" = false, "cifd.embedding_weight" = 0}\n'
    (space,) = spaces(tmp_path, '[[train]]\nstudent = "cnn-2"\nmethod = "cifd"\n' + off)
    assert set(space.dims) == {"lr", "cifd.temperature", "cifd.kl_weight"}
    given = {"cifd.rate_weight": [0.1], "cifd.embedding_weight": [0, 1]}
    (space,) = spaces(tmp_path, '[[train]]\nstudent = "cnn-2"\nmethod = "cifd"\n' + off, **given)
    assert set(space.dims) == {"lr", "cifd.temperature", "cifd.kl_weight", "cifd.embedding_weight"}


def test_what_the_recipe_says_goes_in_place_of_the_default(tmp_path: Path):
    train = '[[train]]\nstudent = "cnn-2"\nmethod = ["ce", "kd"]\n'
    given = {"kd.temperature": [1, 3], "optimizer": ["sgd", "adamw"], "lr": {"low": 0.01, "high": 0.1}}
    ce, kd = spaces(tmp_path, train, **given)
    assert set(ce.dims) == {"lr", "optimizer"}
    assert kd.dims["kd.temperature"] == (1, 3)
    assert kd.start() == {"lr": 0.01, "kd.temperature": 3, "kd.kd_weight": 0.9, "optimizer": "adamw"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"cifd.ibm": {"low": 0, "high": 1}}, "cifd.ibm is not a fraction, got a range"),
        ({"cifd.ibm": [True, "no"]}, "cifd.ibm is True in the recipe, got 'no' as a choice"),
        ({"lr": ["fast"]}, "lr is 0.001 in the recipe, got 'fast' as a choice"),
        ({"batch_size": [32, 64.5]}, "batch_size is 128 in the recipe, got 64.5 as a choice"),
        ({"optimizer": ["sgd", "lion"]}, "optimizer = lion: optimizer: expected 'adamw' or 'sgd', got 'lion'"),
        ({"cifd.kd_dropout": {"low": 0, "high": 2}}, "cifd.kd_dropout = 2.0: "),
        ({"cifd.dropout_form": ["sampl"]}, "cifd.dropout_form = sampl: "),
    ],
)
def test_values_that_a_training_cannot_have(tmp_path: Path, given: dict[str, Any], told: str):
    with pytest.raises(InputError) as caught:
        spaces(tmp_path, '[[train]]\nstudent = "cnn-2"\nmethod = "cifd"\nrdm = "rdm-10"\n', **given)
    assert told in caught.value.message
    assert caught.value.message.startswith("[tune.space] ")


@pytest.mark.parametrize(
    ("value", "choice"),
    [(3.2, 4), (1, 1), (100.0, 8), ("x", 1)],
)
def test_the_nearest_choice(value: Any, choice: int):
    assert nearest((1, 2, 4, 8), value) == choice


def test_trainings_that_differ_in_the_seed_are_one_variant(tmp_path: Path):
    text = (
        '[[train]]\nstudent = ["cnn-2", "my.s1:s1"]\nmethod = "kd"\nseed = [1, 0]\nlr = [0.1, 0.2]\n'
        '[[train]]\nstudent = "cnn-2"\nmethod = "kd"\nseed = 5\nlr = 0.1\n'
        '[[train]]\nstudent = "cnn-2"\nmethod = "kd"\nseed = 7\nlr = 0.3\n'
        '[[train]]\nstudent = "cnn-2"\nmethod = "kd"\nseed = 8\nlr = 0.4\n'
    )
    variants = find_variants(load(tmp_path, text).trainings)
    assert [(variant.name, variant.seeds) for variant in variants] == [
        ("kd-cnn-2-lr=0.1", [1, 0, 5]),
        ("kd-cnn-2-lr=0.2", [1, 0]),
        ("kd-s1-lr=0.1", [1, 0]),
        ("kd-s1-lr=0.2", [1, 0]),
        ("kd-cnn-2", [7]),
        ("kd-cnn-2-2", [8]),
    ]

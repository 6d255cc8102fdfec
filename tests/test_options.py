"""Every option of a stage tells its runs apart or is named as a place, is in the recipe, and in the printed command.

The options are taken from the stages' signatures and the fields of their configurations: a new one is held to this too.
"""

import json
import shutil
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from typer.testing import CliRunner

from teachonce.cache import open_store
from teachonce.cli import app
from teachonce.data.digits import load_digits
from teachonce.engine.rdm.settings import training_of
from teachonce.errors import MismatchError
from teachonce.models import load_teacher
from teachonce.options import opt
from teachonce.options.embed import EmbedOptions
from teachonce.options.make import make
from teachonce.options.optim import RateOptions
from teachonce.options.rdm import RdmOptions
from teachonce.options.train import TrainOptions
from teachonce.options.verbs import VERBS
from teachonce.pipeline import tables
from teachonce.pipeline.recipe import load_recipe
from teachonce.pipeline.steps import make_steps
from teachonce.stages.embed import embed
from teachonce.stages.rdm import rdm
from teachonce.stages.train import train
from tests.cli.made import encoder
from tests.optionkit import (
    CPU,
    EMBED,
    NETWORK,
    OF,
    RDM,
    TRAIN,
    TRAININGS,
    WIDER,
    Home,
    as_text,
    changed,
    options_of,
    other_value,
    parsed,
    printed,
)

STAGES = {"train": train, "embed": embed, "rdm": rdm}


def places(kind: type) -> tuple[str, ...]:
    """The options that do not tell runs apart."""
    return tuple(name for name, option in opt.options_of(kind).items() if option.opt.tells == "nothing")


ACTS = tuple(name for name, option in opt.options_of(EmbedOptions).items() if option.opt.act)
PLACES = places(TrainOptions)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Home:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("home"))
        home = Home.make(Path.cwd())
        for name, options in TRAININGS.items():
            train(out=name, **options)
        embed(store="begun.zarr", blocks="0:1", **EMBED)
        return home


@pytest.fixture(autouse=True)
def home(made: Home, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(made.path)
    return made.path


# Identities


@pytest.mark.parametrize("name", options_of(train, *PLACES))
def test_a_training_with_another_option_is_another_run(name: str):
    base = OF.get(name, "ce")
    assert train(out=base, **TRAININGS[base]).reused
    with pytest.raises(MismatchError):
        train(out=base, **{**TRAININGS[base], **changed(name)})


AT_ANOTHER_PLACE = {"device": None, "threads": 1}
"""Where the value that `other_value` gives does not suit the smallest training."""


@pytest.mark.parametrize("name", [name for name in PLACES if name != "out"])
def test_a_training_at_another_place_is_the_same_run(name: str):
    value = AT_ANOTHER_PLACE[name] if name in AT_ANOTHER_PLACE else other_value(train, name, TRAIN)
    assert train(out="ce", **{**TRAIN, name: value}).reused


def test_a_run_and_its_store_may_be_moved(tmp_path: Path):
    shutil.copytree("s.zarr", tmp_path / "moved.zarr")
    shutil.copytree("kd", tmp_path / "kd")
    assert train(out=tmp_path / "kd", **{**TRAININGS["kd"], "store": tmp_path / "moved.zarr"}).reused


@pytest.mark.parametrize("name", options_of(embed, *places(EmbedOptions), "per_class", "embedding"))
def test_a_pass_with_another_option_is_another_target(name: str):
    with pytest.raises(MismatchError):
        embed(store="begun.zarr", **{**EMBED, name: other_value(embed, name, EMBED)})


def test_another_embedding_of_a_teacher_is_another_target(tmp_path: Path):
    options = {**EMBED, "teacher": encoder(tmp_path / "encoder"), "image_size": None, "store": tmp_path / "e.zarr"}
    embed(**options)
    assert embed(**options).reused_blocks == 3
    with pytest.raises(MismatchError):
        embed(**options, embedding="mean")


def test_class_means_over_other_rows_are_computed_anew(home: Path, tmp_path: Path):
    shutil.copytree(home / "s.zarr", tmp_path / "s.zarr")
    before = open_store(tmp_path / "s.zarr").class_means("teacher")[1]
    embed(store=tmp_path / "s.zarr", **EMBED, per_class=3)
    after = open_store(tmp_path / "s.zarr").class_means("teacher")[1]
    assert before.max() > after.max() == 3


@pytest.mark.parametrize("name", options_of(rdm, *places(RdmOptions), "distortion_weight"))
def test_an_rdm_with_another_option_is_another_target(name: str):
    assert all(entry.reused for entry in rdm(store="s.zarr", **RDM).rdms)
    with pytest.raises(MismatchError):
        rdm(store="s.zarr", **{**RDM, name: other_value(rdm, name, RDM)})


@pytest.mark.parametrize("name", opt.options_of(RateOptions))
def test_every_setting_of_the_optimiser_tells_rdms_apart(name: str):
    options = RdmOptions(store=Path("s.zarr"), distortion_weight=(1.0,))
    other = replace(options, **{name: other_value(train, name, vars(options))})
    assert training_of(other) != training_of(options)


# Recipes


RECIPE: dict[str, Any] = {
    "data": {"train": "disk:data"},
    "store": {"path": "s.zarr"},
    "teacher": {"model": NETWORK},
    "train": [{"student": NETWORK, "method": "kd"}],
    "rdm": [{"distortion_weight": [10.0]}],
}
TABLES = {
    "train": [("train", tables.TRAIN), ("data", tables.DATA)],
    "embed": [("store", tables.STORE), ("teacher", tables.TEACHER), ("data", tables.DATA)],
    "rdm": [("rdm", tables.RDM)],
}
KEYS = {
    ("train", "trust_remote_code"): ("teacher", "trust_remote_code"),
    ("train", "data"): ("data", "train"),
    ("embed", "data"): ("data", "train"),
    **{(verb, "store"): ("store", "path") for verb in STAGES},
    ("train", "teacher"): ("teacher", "model"),
    ("embed", "teacher"): ("teacher", "model"),
    ("train", "teacher_dtype"): ("teacher", "teacher_dtype"),
    ("train", "teacher_device_map"): ("teacher", "teacher_device_map"),
    ("train", "out"): ("run", "out"),
    **{(verb, "threads"): ("run", "threads") for verb in STAGES},
    ("train", "settings"): ("train", "set"),
}
"""Where an option has another name in a recipe."""
NO_KEY = {("embed", "blocks"), ("train", "targets"), *((verb, act) for verb in STAGES for act in ACTS)}
"""A recipe fills all blocks of a store, and does nothing else with what is there; `targets` becomes other options."""
GIVEN = {
    "data": {"data": "disk:more"},
    "source": {"source": "live"},
    "out": {"out": "elsewhere"},
    "settings": {"settings": {"kd.temperature": 3.0}},
    "store": {"store": "more.zarr"},
    "method": {"method": "cifd"},
    "distortion_weight": {"distortion_weight": [5.0, 2.0]},
    "rdm": {"rdm": "rdm-10", "method": "cifd"},
    "rdm_logits": {"rdm_logits": "head", "method": "cifd", "rdm": "rdm-10"},
    "assistants": {"assistants": "more", "method": "dgkd"},
    "label_smoothing": {"label_smoothing": 0.2},
    "teacher": {"teacher": WIDER, "source": "live"},
    "teacher_dtype": {"teacher_dtype": "bf16", "source": "live"},
    "teacher_device_map": {"teacher_device_map": "auto,cpu=2GB", "source": "live"},
}


def key_of(verb: str, option: str) -> tuple[str, str]:
    """The table and the key of an option in a recipe."""
    found = [(table, option) for table, keys in TABLES[verb] if option in keys.known]
    return KEYS.get((verb, option)) or found[0]


ALL = [(verb, name) for verb, stage in STAGES.items() for name in options_of(stage) if (verb, name) not in NO_KEY]


@pytest.mark.parametrize(("verb", "name"), ALL, ids=[f"{verb}-{name}" for verb, name in ALL])
def test_an_option_of_a_recipe_comes_to_its_command(verb: str, name: str, tmp_path: Path):
    others = GIVEN.get(name) or {name: other_value(STAGES[verb], name, RECIPE["train"][0])}
    recipe = json.loads(json.dumps(RECIPE))
    for option, value in others.items():
        if option == "source" and verb == "embed":
            continue
        table, key = key_of(verb, option)
        place = recipe.setdefault(table, {})
        (place[0] if isinstance(place, list) else place)[key] = list(value) if isinstance(value, tuple) else value
    path = tmp_path / "recipe.toml"
    path.write_text(tomli_w.dumps(recipe))
    trusted = name == "trust_remote_code"  # the user's word for all steps; a recipe cannot give it to itself
    (step,) = (step for step in make_steps(load_recipe(path, trust_remote_code=trusted)) if step.verb == verb)
    told = as_text(getattr(make(VERBS[verb].kind, step.options), name))
    wanted = as_text(others[name])
    assert told == wanted or (name in ("out", "store") and str(told).startswith(str(tmp_path / str(wanted))))


# Printed commands


def all_of(stage: Any, *left_out: str, **given: Any) -> dict[str, Any]:
    """Every option of a stage with another value than its default."""
    names = options_of(stage, *left_out, *given)
    return {**{name: other_value(stage, name, {}) for name in names}, **given}


OF_OTHERS = ("revision", "teacher_device_map")
"""Of teachers of a hub, and of models of transformers alone."""
WHOLE_EMBED = all_of(
    embed, *ACTS, *OF_OTHERS, "device", "workers", store="m.zarr", blocks="0:2", embedding="penultimate"
)
WHOLE_RDM = {"store": "m.zarr", "target": "more", "epochs": 2, "batch_size": 16, "schedule": "milestones"}
WHOLE_RDMS = (
    all_of(rdm, *ACTS, "device", **WHOLE_RDM, distortion_weight=(5.0, 2.0), preset="general", hidden=24),
    all_of(rdm, *ACTS, "device", "hidden", **WHOLE_RDM, distortion_weight=3.0, select="top1"),
)
WHOLE_TRAIN = {"epochs": 2, "batch_size": 16, "schedule": "milestones", "compile": False}
NO_EXTRAS = {"rdm": (), "rdm_logits": "stored", "assistants": (), "source": "cached", "teacher": None}
NO_EXTRAS |= {"teacher_dtype": "float32"}
OF_STORE = {"store": "m.zarr", "target": "more", "label_smoothing": 0.0}
WHOLE_TRAININGS: dict[str, dict[str, Any]] = {
    "ce": {**NO_EXTRAS, "method": "ce", "store": None, "target": "teacher", "settings": {}},
    "kd": {**NO_EXTRAS, **OF_STORE, "method": "kd", "settings": {"temperature": 3.0}},
    "cifd": {
        **NO_EXTRAS,
        **OF_STORE,
        "method": "cifd",
        "settings": {"ibm": False, "kl_weight": 0.5},
        "rdm": ("rdm-5", "rdm-2"),
        "rdm_logits": "head",
    },
    "dgkd": {**NO_EXTRAS, **OF_STORE, "method": "dgkd", "settings": {"ce_weight": 0.5}, "assistants": ("teacher",)},
    "live": {**NO_EXTRAS, "method": "kd", "store": None, "target": "teacher", "settings": {}}
    | {"source": "live", "teacher": WIDER, "teacher_dtype": "fp16"},
}


@pytest.fixture(scope="module")
def whole(made: Home) -> Home:
    """Store and runs for which every option was given another value than its default, from Python."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made.path)
        embed(**WHOLE_EMBED, **CPU)
        embed(**{**WHOLE_EMBED, "name": "teacher", "teacher": NETWORK, "blocks": None}, **CPU)
        for options in WHOLE_RDMS:
            rdm(**options, device="cpu")
        for name, options in WHOLE_TRAININGS.items():
            train(**all_of(train, *PLACES, **WHOLE_TRAIN, **options), **CPU, out=f"whole-{name}")
    return made


def call(words: list[str]) -> Any:
    """The JSON that a command prints; it must end well."""
    result = CliRunner().invoke(app, [*words, "--device", "cpu", "--json"], prog_name="teachonce")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def differing(words: list[str], given: dict[str, Any], *left_out: str) -> dict[str, tuple[Any, Any]]:
    """Options that a command line reads otherwise than they were given."""
    told = parsed(words)
    pairs = {name: (told[name], as_text(value)) for name, value in given.items() if name not in left_out}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@pytest.mark.parametrize("name", WHOLE_TRAININGS)
def test_the_printed_command_of_a_training_is_that_training(whole: Home, name: str):
    (words,) = printed("train", Path(f"whole-{name}"))
    given = all_of(train, *PLACES, **WHOLE_TRAIN, **WHOLE_TRAININGS[name])
    method = given["method"]
    smoothing = {"label_smoothing": given["label_smoothing"]} if given["label_smoothing"] else {}
    settings = {f"{method}.{key}": value for key, value in sorted({**given["settings"], **smoothing}.items())}
    told = parsed(words)
    assert sorted((told["settings"] or "").split(",")) == sorted((as_text(settings) or "").lower().split(","))
    assert differing(words, given, "settings", "label_smoothing") == {}
    assert call([*words, "--workers", "0"])["reused"]


def test_switches_that_are_slow_to_try_are_printed(whole: Home):
    """Compiling takes half a minute: the run says that it was."""
    path = Path("whole-ce", "run.json")
    run = json.loads(path.read_text())
    path.write_text(json.dumps(run | {"settings": run["settings"] | {"compile": True}}))
    (words,) = printed("train", Path("whole-ce"))
    path.write_text(json.dumps(run))
    assert parsed(words)["compile"] == "True"


def test_the_printed_command_of_a_pass_is_that_pass(whole: Home):
    commands = printed("embed", Path("m.zarr"))
    assert len(commands) == 2
    assert differing(commands[0], WHOLE_EMBED) == {}
    assert call([*commands[0], "--workers", "0"])["reused_blocks"] == 2


def test_the_printed_command_of_rdms_is_theirs(whole: Home):
    commands = printed("rdm", Path("m.zarr"))
    assert len(commands) == len(WHOLE_RDMS)
    for words, given in zip(commands, WHOLE_RDMS, strict=True):
        assert differing(words, given) == {}
        assert all(entry["reused"] for entry in call(words)["rdms"])


def test_every_option_was_tried(whole: Home):
    trainings = [all_of(train, *PLACES, **WHOLE_TRAIN, **options) for options in WHOLE_TRAININGS.values()]
    for stage, calls, places in (
        (train, trainings, (*PLACES, "compile")),
        (embed, [WHOLE_EMBED], (*ACTS, *OF_OTHERS, "device", "workers")),
        (rdm, WHOLE_RDMS, (*ACTS, "device")),
    ):
        defaults = {name: parameter.default for name, parameter in signature(stage).parameters.items()}
        tried = {name for given in calls for name, value in given.items() if value != defaults[name]}
        assert tried == set(options_of(stage, *places))


def test_opened_data_and_loaded_teachers_are_told_by_name(whole: Home):
    embed(**EMBED | {"data": load_digits("test", 70), "teacher": load_teacher(NETWORK, classes=10)}, store="d.zarr")
    (words,) = printed("embed", Path("d.zarr"))
    told = parsed(words)
    assert (told["data"], told["split"], told["limit"], told["teacher"]) == ("digits", "test", "70", NETWORK)

"""The options of a recipe's steps, named as the stages' keywords."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from teachonce.options.methods import METHODS
from teachonce.options.rdm import RdmOptions
from teachonce.pipeline.recipe import Recipe
from teachonce.pipeline.tables import OF_DATA, OF_LIVE, Table, Training

_OF_ITS_TEACHER = ("name", "views", "augment", "block_rows", "seed")


def teacher_spec(recipe: Recipe) -> str | None:
    """The teacher: the recipe's model, or the run that [teacher.train] makes."""
    if recipe.teacher is None:
        return None
    model = recipe.teacher.model
    return _whole(recipe.out / "teacher") if model is None else recipe.spec(model)


def is_trained_here(recipe: Recipe) -> bool:
    """Whether the recipe trains its own teacher."""
    return recipe.teacher is not None and recipe.teacher.train is not None


def embed_options(recipe: Recipe) -> dict[str, Any]:
    """Of the pass of the recipe's teacher; empty where it has none, or no store."""
    teacher = teacher_spec(recipe)
    if recipe.store is None or recipe.teacher is None or teacher is None:
        return {}
    options = {"teacher": teacher, **_pass_options(recipe)}
    return options | _but(recipe.teacher.given, "teacher", "trust_remote_code") | _but(recipe.store.given, "store")


def assistant_embed_options(recipe: Recipe, name: str) -> dict[str, Any]:
    """Of the pass of a trained assistant: into the same store, over its views."""
    assert recipe.store is not None  # the recipe was checked
    options = {"teacher": _whole(recipe.out / name), **_pass_options(recipe), "name": name}
    return options | _but(recipe.store.given, "store", *_OF_ITS_TEACHER)


def _pass_options(recipe: Recipe) -> dict[str, Any]:
    return {"store": str(recipe.store_path()), **data_options(recipe), **machine(recipe), **threads(recipe)}


def rdm_options(recipe: Recipe, table: Table[RdmOptions]) -> dict[str, Any]:
    """Of the training of a table's RDMs."""
    assert recipe.store is not None  # the recipe was checked
    options = {"store": str(recipe.store_path()), "target": recipe.store.options.name}
    return options | {k: v for k, v in machine(recipe).items() if k == "device"} | threads(recipe) | dict(table.given)


def train_options(recipe: Recipe, training: Training) -> dict[str, Any]:
    """Of a training in a store, all but its folder and its data."""
    options = own_train_options(recipe, training)
    if recipe.store is not None and not _sees_the_same_without(recipe, training):
        options |= {"store": str(recipe.store_path()), "target": training.target or recipe.store.options.name}
    if training.options.source == "live":
        options["teacher"] = teacher_spec(recipe)
        given = {} if recipe.teacher is None else recipe.teacher.given
        options |= {name: given[name] for name in OF_LIVE if name in given}
    return options


def own_train_options(recipe: Recipe, training: Training) -> dict[str, Any]:
    """What a table says of its training, without the store."""
    specs = {name: recipe.spec(training.given[name]) for name in ("student", "init") if name in training.given}
    return {**machine(recipe), **threads(recipe), **training.given, **specs, "settings": training.options.settings}


def _sees_the_same_without(recipe: Recipe, training: Training) -> bool:
    """Whether a training that reads no targets would see the store's views without it: the whole image, once."""
    drawn = recipe.store is not None and recipe.store.options.augment is not None
    return not reads_targets(training) and is_trained_here(recipe) and not drawn


def reads_targets(training: Training) -> bool:
    """Whether the method looks at a teacher's outputs."""
    return training.options.method not in METHODS or bool(METHODS[training.options.method].needs)


def data_options(recipe: Recipe) -> dict[str, Any]:
    """What is trained on."""
    return {"data": recipe.spec(recipe.data.train), **_given(recipe.data, *OF_DATA[1:])}


def test_data_options(recipe: Recipe) -> dict[str, Any]:
    """What is tested on: the columns of the training data, and a split and a limit of its own."""
    own = {name.removeprefix("test_"): name for name in vars(recipe.data) if name.startswith("test_")}
    columns = _given(recipe.data, *(name for name in OF_DATA[1:] if name not in own))
    return {"data": recipe.spec(recipe.data.test or ""), **columns, **_given(recipe.data, **own)}


def machine(recipe: Recipe) -> dict[str, Any]:
    """Where a step that names no other runs, and whether it may run code that others name."""
    trust = {"trust_remote_code": True} if recipe.trust_remote_code else {}
    return _given(recipe.run, "device", "workers") | trust


def threads(recipe: Recipe) -> dict[str, Any]:
    """Of steps that have a process of their own."""
    return _given(recipe.run, "threads")


def _whole(path: Path) -> str:
    return str(path.absolute())


def _but(given: Mapping[str, Any], *left_out: str) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in left_out}


def _given(table: object, *names: str, **renamed: str) -> dict[str, Any]:
    """What a table says, all of whose options are None where it does not."""
    wanted = {**{name: name for name in names}, **renamed}
    return {name: value for name, own in wanted.items() if (value := getattr(table, own)) is not None}

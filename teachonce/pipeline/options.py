"""The options of a recipe's steps, named as the stages' keywords."""

from typing import Any

from teachonce.pipeline.expand import split_names
from teachonce.pipeline.recipe import Recipe
from teachonce.pipeline.schema import RdmTable, TrainTable

_WITHOUT_TEACHER = ("ce",)
_COLUMNS = ("image_column", "label_column", "key_column")
_OF_LIVE = ("teacher_dtype", "teacher_device_map")
_OF_ITS_TEACHER = ("name", "views", "augment", "block_rows", "seed")


def teacher_spec(recipe: Recipe) -> str | None:
    """The teacher: the recipe's model, or the run that [teacher.train] makes."""
    if recipe.teacher is None:
        return None
    model = recipe.teacher.model
    return str((recipe.out / "teacher").absolute()) if model is None else recipe.spec(model)


def is_trained_here(recipe: Recipe) -> bool:
    """Whether the recipe trains its own teacher."""
    return recipe.teacher is not None and recipe.teacher.train is not None


def embed_options(recipe: Recipe) -> dict[str, Any]:
    """Of the pass of the recipe's teacher; empty where it has none, or no store."""
    teacher = teacher_spec(recipe)
    if recipe.store is None or recipe.teacher is None or teacher is None:
        return {}
    options = {"teacher": teacher, **_pass_options(recipe)}
    options |= recipe.teacher.model_dump(exclude_unset=True, exclude={"model", "train", "trust_remote_code"})
    return options | recipe.store.model_dump(exclude_unset=True, exclude={"path"})


def assistant_embed_options(recipe: Recipe, name: str) -> dict[str, Any]:
    """Of the pass of a trained assistant: into the same store, over its views."""
    assert recipe.store is not None  # the recipe was checked
    options = {"teacher": str((recipe.out / name).absolute()), **_pass_options(recipe), "name": name}
    return options | recipe.store.model_dump(exclude_unset=True, exclude={"path", *_OF_ITS_TEACHER})


def _pass_options(recipe: Recipe) -> dict[str, Any]:
    return {"store": str(recipe.store_path()), **data_options(recipe), **machine(recipe), **threads(recipe)}


def rdm_options(recipe: Recipe, table: RdmTable) -> dict[str, Any]:
    """Of the training of a table's RDMs."""
    assert recipe.store is not None  # the recipe was checked
    options = {"store": str(recipe.store_path()), "target": recipe.store.name}
    return options | {k: v for k, v in machine(recipe).items() if k == "device"} | threads(recipe) | table.given()


def train_options(recipe: Recipe, table: TrainTable) -> dict[str, Any]:
    """Of a training in a store, all but its folder and its data."""
    options = own_train_options(recipe, table)
    if recipe.store is not None and not _sees_the_same_without(recipe, table):
        options |= {"store": str(recipe.store_path()), "target": table.target or recipe.store.name}
    if table.source == "live":
        options["teacher"] = teacher_spec(recipe)
        given = {} if recipe.teacher is None else recipe.teacher.given()
        options |= {key: given[key] for key in _OF_LIVE if key in given}
    return options


def own_train_options(recipe: Recipe, table: TrainTable) -> dict[str, Any]:
    """What a table says of its training, without the store."""
    options = machine(recipe) | threads(recipe) | table.given()
    options.pop("name", None)
    options["student"] = recipe.spec(table.student)
    options |= {} if table.init is None else {"init": recipe.spec(table.init)}
    options["settings"] = options.pop("set", {})
    options |= {key: split_names(options[key]) for key in ("rdm", "assistants") if key in options}
    return options


def _sees_the_same_without(recipe: Recipe, table: TrainTable) -> bool:
    """Whether a training that reads no targets would see the store's views without it: the whole image, once."""
    drawn = recipe.store is not None and recipe.store.augment is not None
    return not reads_targets(table) and is_trained_here(recipe) and not drawn


def reads_targets(table: TrainTable) -> bool:
    """Whether the method looks at a teacher's outputs."""
    return table.method not in _WITHOUT_TEACHER


def data_options(recipe: Recipe) -> dict[str, Any]:
    """What is trained on."""
    table = recipe.data.given()
    chosen = {key: table[key] for key in ("split", "limit", *_COLUMNS) if key in table}
    return {"data": recipe.spec(recipe.data.train), **chosen}


def test_data_options(recipe: Recipe) -> dict[str, Any]:
    """What is tested on."""
    table = recipe.data.given()
    chosen = {key: table[key] for key in _COLUMNS if key in table}
    chosen |= {key: table[f"test_{key}"] for key in ("split", "limit") if f"test_{key}" in table}
    return {"data": recipe.spec(recipe.data.test or ""), **chosen}


def machine(recipe: Recipe) -> dict[str, Any]:
    """Where a step that names no other runs, and whether it may run code that others name."""
    trust = {"trust_remote_code": True} if recipe.trust_remote_code else {}
    return {key: value for key, value in recipe.run.given().items() if key in ("device", "workers")} | trust


def threads(recipe: Recipe) -> dict[str, Any]:
    """Of steps that have a process of their own."""
    return {} if recipe.run.threads is None else {"threads": recipe.run.threads}

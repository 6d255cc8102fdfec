"""The steps of a recipe in the order they need each other, each as a verb and its options."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from teachonce.pipeline.expand import Training
from teachonce.pipeline.recipe import Recipe
from teachonce.pipeline.schema import TrainTable

Verb = Literal["train", "embed", "evaluate"]
_WITHOUT_TEACHER = ("ce",)
_COLUMNS = ("image_column", "label_column", "key_column")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One verb with its options, named as the stage's keywords.

    Attributes:
        training: What the recipe says of it, where the step is a training of the recipe's [[train]] tables.
    """

    name: str
    verb: Verb
    options: Mapping[str, Any]
    training: Training | None = field(default=None)

    @property
    def run(self) -> Path:
        """The run folder of a training or of an evaluation."""
        return Path(self.options["out"] if self.verb == "train" else self.options["run"])

    def words(self) -> list[str]:
        """The step as a command line, after `teachonce`."""
        return [self.verb, *(word for key, value in self.options.items() for word in _words(key, value))]


def _words(key: str, value: Any) -> list[str]:
    option = f"--{key.replace('_', '-')}"
    if key == "settings":
        return [word for name, setting in value.items() for word in ("--set", f"{name}={setting}")]
    if isinstance(value, bool):
        return [option] if value else []
    if isinstance(value, list | tuple):
        return [option, ",".join(map(str, value))] if value else []
    return [] if value is None else [option, str(value)]


def make_steps(recipe: Recipe) -> list[Step]:
    """Teacher, store, trainings, and where there is test data an evaluation after each training."""
    trains = [_train_step(recipe, training) for training in recipe.trainings]
    first = [*_teacher_steps(recipe), *_embed_steps(recipe)]
    return [*_evaluated(recipe, first), *_evaluated(recipe, trains)]


def teacher_spec(recipe: Recipe) -> str | None:
    """The teacher: the recipe's model, or the run that [teacher.train] makes."""
    if recipe.teacher is None:
        return None
    model = recipe.teacher.model
    return str((recipe.out / "teacher").absolute()) if model is None else recipe.spec(model)


def _teacher_steps(recipe: Recipe) -> Iterator[Step]:
    if recipe.teacher is not None and recipe.teacher.train is not None:
        options = {"out": str(recipe.out / "teacher"), **_data(recipe), **_train_options(recipe, recipe.teacher.train)}
        yield Step(name="train teacher", verb="train", options=options)


def _embed_steps(recipe: Recipe) -> Iterator[Step]:
    teacher = teacher_spec(recipe)
    if recipe.store is None or recipe.teacher is None or teacher is None:
        return
    options = {
        "teacher": teacher,
        "store": str(recipe.store_path()),
        **_data(recipe),
        **_machine(recipe),
        **_threads(recipe),
    }
    options |= recipe.teacher.model_dump(exclude_unset=True, exclude={"model", "train"})
    options |= recipe.store.model_dump(exclude_unset=True, exclude={"path"})
    yield Step(name="embed", verb="embed", options=options)


def _train_step(recipe: Recipe, training: Training) -> Step:
    table = training.options
    options = {"out": str(recipe.out / training.name), **_data(recipe), **_train_options(recipe, table)}
    if recipe.store is not None and not _sees_the_same_without(recipe, table):
        options |= {"store": str(recipe.store_path()), "target": recipe.store.name}
    if table.source == "live":
        options["teacher"] = teacher_spec(recipe)
    return Step(name=f"train {training.name}", verb="train", options=options, training=training)


def _sees_the_same_without(recipe: Recipe, table: TrainTable) -> bool:
    """Whether a training that reads no targets would see the store's views without it: the whole image, once."""
    trained_here = recipe.teacher is not None and recipe.teacher.train is not None
    drawn = recipe.store is not None and recipe.store.augment is not None
    return table.method in _WITHOUT_TEACHER and trained_here and not drawn


def _train_options(recipe: Recipe, table: TrainTable) -> dict[str, Any]:
    options = _machine(recipe) | _threads(recipe) | table.given()
    options.pop("name", None)
    options["student"] = recipe.spec(table.student)
    options["settings"] = options.pop("set", {})
    return options


def _evaluated(recipe: Recipe, steps: list[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        if step.verb == "train" and recipe.data.test is not None:
            yield Step(
                name=step.name.replace("train", "evaluate", 1),
                verb="evaluate",
                options={"run": str(step.run), **_test_data(recipe), **_machine(recipe)},
                training=step.training,
            )


def _data(recipe: Recipe) -> dict[str, Any]:
    table = recipe.data.given()
    chosen = {key: table[key] for key in ("split", "limit", *_COLUMNS) if key in table}
    return {"data": recipe.spec(recipe.data.train), **chosen}


def _test_data(recipe: Recipe) -> dict[str, Any]:
    table = recipe.data.given()
    chosen = {key: table[key] for key in _COLUMNS if key in table}
    chosen |= {key: table[f"test_{key}"] for key in ("split", "limit") if f"test_{key}" in table}
    return {"data": recipe.spec(recipe.data.test or ""), **chosen}


def _machine(recipe: Recipe) -> dict[str, Any]:
    return {key: value for key, value in recipe.run.given().items() if key in ("device", "workers")}


def _threads(recipe: Recipe) -> dict[str, Any]:
    """Of steps that have a process of their own."""
    return {} if recipe.run.threads is None else {"threads": recipe.run.threads}

"""The steps of a recipe in the order they need each other, each as a verb and its options."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from teachonce.engine.rdm.names import named
from teachonce.errors import InputError
from teachonce.options.rdm import RdmOptions
from teachonce.pipeline import options as of
from teachonce.pipeline.expand import short_names
from teachonce.pipeline.options import teacher_spec
from teachonce.pipeline.recipe import Recipe
from teachonce.pipeline.tables import Table, Training

__all__ = ["Step", "in_order", "make_steps", "makers", "teacher_spec"]

Verb = Literal["train", "embed", "rdm", "evaluate", "report"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One verb with its options, named as the stage's keywords.

    Attributes:
        training: What the recipe says of it, where the step is a training of the recipe's [[train]] tables.
        needs: The names of the steps that come before it.
        reads: The targets of the store that it reads.
    """

    name: str
    verb: Verb
    options: Mapping[str, Any]
    training: Training | None = field(default=None)
    needs: tuple[str, ...] = field(default=())
    reads: tuple[str, ...] = field(default=())

    @property
    def run(self) -> Path:
        """The run folder of a training or of an evaluation."""
        return Path(self.options["out"] if self.verb == "train" else self.options["run"])


def make_steps(recipe: Recipe) -> list[Step]:
    """Teacher, store, RDMs, assistants, trainings, where there is test data an evaluation after each, the report.

    Raises:
        InputError: Steps that need each other.
    """
    steps = [
        *_teacher_steps(recipe),
        *_embed_steps(recipe),
        *(_rdm_step(recipe, table) for table in recipe.rdms),
        *(step for training in recipe.assistants for step in _assistant_steps(recipe, training)),
        *(replace(_train_step(recipe, training), training=training) for training in recipe.trainings),
    ]
    makes = makers(recipe, steps)
    steps = in_order([_linked(step, makes, {step.name for step in steps}) for step in _evaluated(recipe, steps)])
    return [*steps, *_report_steps(recipe, steps)]


def makers(recipe: Recipe, steps: Sequence[Step]) -> dict[str, str]:
    """Target of the store -> the name of the step that makes it."""
    made = {step.options.get("name", "teacher"): step.name for step in steps if step.verb == "embed"}
    return made | {name: _rdm_name(table) for table in recipe.rdms for name in named(table.options.distortion_weight)}


def in_order(steps: Sequence[Step]) -> list[Step]:
    """The steps, each moved behind those that it needs, else as they are.

    Raises:
        InputError: Steps that need each other.
    """
    left, ordered = list(steps), list[Step]()
    while left:
        names = {step.name for step in left}
        step = next((step for step in left if names.isdisjoint(step.needs)), None)
        if step is None:
            message = f"these steps need each other: {', '.join(step.name for step in left)}"
            raise InputError(message, "Check target, rdm and assistants of the [[rdm]] and [[assistant]] tables")
        left.remove(step)
        ordered.append(step)
    return ordered


def _linked(step: Step, makes: Mapping[str, str], names: set[str]) -> Step:
    needs = [*step.needs, *(makes[name] for name in step.reads if name in makes)]
    return replace(step, needs=tuple(dict.fromkeys(name for name in needs if name in names)))


def _teacher_steps(recipe: Recipe) -> Iterator[Step]:
    if recipe.teacher is not None and recipe.teacher.train is not None:
        own = of.own_train_options(recipe, recipe.teacher.train)
        options = {"out": str(recipe.out / "teacher"), **of.data_options(recipe), **own}
        yield Step(name="train teacher", verb="train", options=options)


def _embed_steps(recipe: Recipe) -> Iterator[Step]:
    options = of.embed_options(recipe)
    if options:
        yield Step(name="embed", verb="embed", options=options, needs=("train teacher",))


def _rdm_step(recipe: Recipe, table: Table[RdmOptions]) -> Step:
    options = of.rdm_options(recipe, table)
    return Step(name=_rdm_name(table), verb="rdm", options=options, needs=("embed",), reads=(options["target"],))


def _rdm_name(table: Table[RdmOptions]) -> str:
    return f"rdm {short_names(named(table.options.distortion_weight))}"


def _assistant_steps(recipe: Recipe, training: Training) -> Iterator[Step]:
    train = _train_step(recipe, training)
    yield train
    options = of.assistant_embed_options(recipe, training.name)
    yield Step(name=f"embed {training.name}", verb="embed", options=options, needs=("embed", train.name))


def _train_step(recipe: Recipe, training: Training) -> Step:
    out = str(recipe.out / training.name)
    options = {"out": out, **of.data_options(recipe), **of.train_options(recipe, training)}
    cached = training.options.source == "cached" or bool(training.options.rdm)
    main = (options["target"],) if "store" in options and of.reads_targets(training) and cached else ()
    return Step(
        name=f"train {training.name}",
        verb="train",
        options=options,
        needs=(("embed",) if "store" in options else ()) + (("train teacher",) if "teacher" in options else ()),
        reads=(*main, *training.options.extras),
    )


def _evaluated(recipe: Recipe, steps: Sequence[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        if step.verb == "train" and recipe.data.test is not None:
            yield Step(
                name=step.name.replace("train", "evaluate", 1),
                verb="evaluate",
                options={"run": str(step.run), **of.test_data_options(recipe), **of.machine(recipe)},
                training=step.training,
                needs=(step.name,),
            )


def _report_steps(recipe: Recipe, steps: Sequence[Step]) -> Iterator[Step]:
    """The report of all runs, when everything else is done."""
    if recipe.report is not None:
        runs = [str(step.run) for step in steps if step.verb == "train"]
        store = {"store": str(recipe.store_path())} if any("store" in step.options for step in steps) else {}
        title = {} if recipe.report.title is None else {"title": recipe.report.title}
        out = [str(path) for path in recipe.report_paths()]
        options = {"places": runs, "out": out, **store, **title}
        yield Step(name="report", verb="report", options=options, needs=tuple(step.name for step in steps))

"""The tuned recipe: as the recipe is, but each variant a [[train]] table of its own with the values found."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from teachonce.errors import InputError
from teachonce.fsio import write_bytes
from teachonce.options.opt import Value
from teachonce.pipeline.expand import run_name
from teachonce.pipeline.recipe import Recipe
from teachonce.pipeline.tables import TRAIN, Training
from teachonce.pipeline.tune.results import VariantResult
from teachonce.pipeline.tune.variants import Variant
from teachonce.places import require_writable

_MARK = "# Written by `teachonce tune`"


def tuned_path(recipe: str | Path, loaded: Recipe, write: str | Path | None) -> Path:
    """Where the tuned recipe goes: beside the recipe where nothing else is said.

    Raises:
        InputError: Something else is there, or the place is no file's.
        DiskError: It could not be written, when the search is over.
    """
    path = Path(write) if write is not None else loaded.folder / f"{Path(recipe).stem}-tuned.toml"
    if path.exists() and not (path.is_file() and _is_ours(path)):
        message = f"{path} exists and was not written by `teachonce tune`"
        raise InputError(message, "Move it away, or give another --write")
    require_writable(path.parent, "--write")
    return path


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MARK)) == _MARK.encode()


def write_tuned(path: Path, recipe: Recipe, found: Sequence[tuple[Variant, VariantResult]]) -> None:
    """Write the tuned recipe. Its runs go where the recipe's go, so that teacher and assistants are found there.

    Args:
        path: The file.
        recipe: What was tuned.
        found: Each variant and what its search came to; one without a best trial keeps the recipe's values.

    Raises:
        DiskError: It cannot be written.
    """
    import tomli_w

    folder = path.parent.absolute()
    table = dict(recipe.raw) if folder == recipe.folder.absolute() else _moved(recipe)
    table["run"] = {**table.get("run", {}), "out": _place(recipe.out, folder)}
    if recipe.report is not None:  # that of the recipe stays
        outs = [str(Path(out).with_stem(f"{Path(out).stem}-tuned")) for out in recipe.report.out]
        table["report"] = {**table["report"], "out": outs}
    table["train"] = _entries([(variant, result.values or {}) for variant, result in found])
    head = [f"{_MARK}: the best values of each variant.", *(f"# {_about(result)}" for _, result in found)]
    write_bytes(path, ("\n".join([*head, ""]) + tomli_w.dumps(table)).encode())


def _about(result: VariantResult) -> str:
    if result.best_trial is None:
        return f"{result.name}: no trial finished, so these are the values of the recipe"
    return f"{result.name}: trial {result.best_trial} of {result.trials}, {result.best_value:.4f}"


def _entries(found: Sequence[tuple[Variant, Mapping[str, Value]]]) -> list[dict[str, Any]]:
    tables = [(variant, _entry(variant, values)) for variant, values in found]
    names = [run_name(_alike(variant.trainings[0], table["name"]), ()) for variant, table in tables]
    for (variant, table), name in zip(tables, names, strict=True):
        if names.count(name) > 1:  # they differed in a list of the recipe that is a single value now
            table["name"] = f"{table['name']}-{variant.varied}"
    return [table for _, table in tables]


def _alike(training: Training, label: str) -> Training:
    """A variant's training under its new name: those of one table have one name but for the seed."""
    return replace(training, label=label, options=replace(training.options, seed=0))


def _entry(variant: Variant, values: Mapping[str, Value]) -> dict[str, Any]:
    """A [[train]] table; its name keeps its runs apart from those of the recipe."""
    first = variant.trainings[0]
    given = TRAIN.raw(first.given)
    settings = {**given.pop("set", {}), **{name: value for name, value in values.items() if "." in name}}
    table = {"name": "-".join(filter(None, ["tuned", first.label])), **given}
    table |= {name: value for name, value in values.items() if "." not in name}
    table["seed"] = variant.seeds if len(variant.seeds) > 1 else variant.seeds[0]
    return {**table, "set": settings} if settings else table


def _place(path: Path, folder: Path) -> str:
    """A path as a recipe in `folder` names it."""
    path = path.absolute()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def _moved(recipe: Recipe) -> dict[str, Any]:
    """The recipe for another folder: what it names beside itself is named by its whole path."""
    table = {key: dict(value) if isinstance(value, Mapping) else value for key, value in recipe.raw.items()}
    for key, names in (("data", ("train", "test")), ("teacher", ("model",))):
        for name in names:
            if name in table.get(key, {}):
                table[key][name] = recipe.spec(table[key][name])
    if "store" in table:
        table["store"]["path"] = str((recipe.folder / table["store"]["path"]).absolute())
    if "train" in table.get("teacher", {}):
        table["teacher"]["train"] = _student_found(table["teacher"]["train"], recipe)
    if "assistant" in table:
        table["assistant"] = [_student_found(entry, recipe) for entry in table["assistant"]]
    return table


def _student_found(entry: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    return {**entry, "student": recipe.spec(entry["student"])}

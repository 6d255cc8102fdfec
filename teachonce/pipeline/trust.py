"""Code that a recipe names: it may come from elsewhere, with a module beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from teachonce.errors import ModelError
from teachonce.models.trust import factories_also_in, is_factory, refuse_code
from teachonce.pipeline.recipe import Recipe


@contextmanager
def code_of(recipe: Recipe, name: str) -> Iterator[None]:
    """Around the work on a recipe: its factories are also looked up beside it, where the user allows any.

    Args:
        recipe: The recipe.
        name: What it is called in an error.

    Raises:
        ModelError: It names code, and the user did not allow it; says which file would run.
    """
    with factories_also_in(recipe.folder):
        if not recipe.trust_remote_code:
            _refuse(recipe, f"recipe {name}")
        yield


def _refuse(recipe: Recipe, owner: str) -> None:
    for spec in _specs(recipe):
        if is_factory(spec):
            raise refuse_code(owner, spec)
    if recipe.teacher is not None and recipe.teacher.options.trust_remote_code:
        message = f"{owner} would run code that comes with its teacher, which was not allowed"
        raise ModelError(message, "Read that code; if you trust it, add --trust-remote-code")


def _specs(recipe: Recipe) -> Iterator[str]:
    """The models that it names."""
    for training in recipe.trainings:
        yield training.options.student
    for training in recipe.assistants:
        yield training.options.student
    teacher = recipe.teacher
    if teacher is not None and teacher.train is not None:
        yield teacher.train.options.student
    if teacher is not None and teacher.model is not None and not Path(recipe.spec(teacher.model)).exists():
        yield teacher.model

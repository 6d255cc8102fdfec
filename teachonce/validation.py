"""Values from files, checked by the types that their readers declare: what passes here needs no further look."""

from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from teachonce.errors import CorruptError
from teachonce.records import first_problem


def require_type(kind: Any, value: Any, name: str, *, mend: str, within: str = "") -> None:
    """Refuse a value of JSON that is not of a type.

    Args:
        kind: What pydantic can check: a model, a TypedDict, `list[str]`.
        value: As it was read; it stays as it is.
        name: What it is called in an error.
        mend: What to do where it is something else.
        within: The file of it that is meant.

    Raises:
        CorruptError: Names the first entry that is missing, or of another type.
    """
    try:
        _adapter(kind).validate_python(value)
    except ValidationError as error:
        place = f" in {within}" if within else ""
        raise CorruptError(f"{name} is not whole: {first_problem(error)}{place}", mend) from error


@lru_cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)

"""Values from files, checked by the types that their readers declare: what passes here needs no further look."""

from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from teachonce.errors import CorruptError
from teachonce.types import EARLY

MOST_SIDE = 1 << 14
Side = Annotated[int, Field(ge=1, le=MOST_SIDE)]
"""Of an image, in pixels."""
_Sides = Annotated[list[Side], Field(min_length=2, max_length=2)]
_Three = Annotated[list[float], Field(min_length=3, max_length=3)]


class InputJson(BaseModel):
    """What `InputSpec.to_json` gives."""

    model_config = ConfigDict(extra="forbid", strict=True)

    height: Side
    width: Side
    mean: _Three
    std: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=3, max_length=3)]
    filter: Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]


class ViewJson(BaseModel):
    """What `EvalView.to_json` gives."""

    model_config = ConfigDict(extra="forbid", strict=True)

    resize: _Sides | Side | None = None
    crop: _Sides | None = None


class _Augment(BaseModel):
    """What `Augment.to_json` gives."""

    model_config = ConfigDict(extra="forbid", strict=True)

    crop: Annotated[float, Field(gt=0, le=1)] | None = None
    flip: bool = False


class ViewsSpecJson(BaseModel):
    """How the views of a store were made: its attribute `views_spec`."""

    model_config = ConfigDict(strict=True)

    augment: _Augment | None
    seed: Annotated[int, Field(ge=0)] | None
    view: ViewJson
    resizing: str = EARLY


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
        raise CorruptError(f"{name} is not whole: {_first(error)}{place}", mend) from error


@lru_cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _first(error: ValidationError) -> str:
    """The first problem, with its place: `settings.lr: ...`."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"]))
    if first["type"] == "missing":
        return f"{place!r} is missing"
    return f"{place}: {first['msg']}" if place else str(first["msg"])

"""What the shapes of the benchmarks' JSON are made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


class Shape(BaseModel):
    """An object of JSON; keys that are not declared are not looked at."""

    model_config = ConfigDict(strict=True)


class MachineJson(Shape):
    """See `Machine`."""

    processor: str | None = None
    cores: int | None = None
    memory_bytes: Count | None = None
    platform: str | None = None
    gpus: list[str] | None = None

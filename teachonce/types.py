"""Plain descriptions that every room shares. NumPy at most; never torch."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal

Identity = Literal["encoded", "array", "key"]
StoredDtype = Literal["float16", "bfloat16", "float32"]
TeacherDtype = Literal["float32", "bf16", "fp16"]
"""Of a teacher's weights and of its arithmetic."""
Resizing = Literal["early", "pillow-10", "pillow-12.2", "pillow-13"]
"""A rule by which views are resized, see `teachonce.data.rules`: a store's, for as long as it exists."""
EARLY: Resizing = "early"
"""The rule of stores and runs that name none."""
PerClass = int | Literal["all"]
"""How many rows of each class a class mean is over, at most."""
Box = tuple[float, float, float, float]
Probe = Callable[[str], None]
"""Hears the name of the part of a step that has just been submitted; see `teachonce.engine.probe`."""

ABSENT, DECODED, FAILED = 0, 1, 2  # samples/status and targets/NAME/status


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """What a model takes: pixels of shape (B, 3, height, width), float32, normalised by mean and std."""

    height: int
    width: int
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    filter: str = "bicubic"
    """The resampling filter: nearest, box, bilinear, hamming, bicubic or lanczos, as PIL defines them."""

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "InputSpec":
        """From what `to_json` gave."""
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
        return cls(**fields)


@dataclass(frozen=True, kw_only=True)
class EvalView:
    """The evaluation view as a rule: resize, then centre crop, as image processors do."""

    resize: tuple[int, int] | int | None = None
    """(height, width): exactly so; one number: the shortest edge; None: the image as it is."""
    crop: tuple[int, int] | None = None
    """(height, width) of the centre crop after the resize; None: no crop."""

    def box(self, height: int, width: int) -> Box:
        """The crop as y0, x0, y1, x1 in fractions of an image of this height and width (pixels)."""
        if self.crop is None:
            return 0.0, 0.0, 1.0, 1.0
        rows, cols = self.resized(height, width)
        top, left = (rows - self.crop[0]) // 2, (cols - self.crop[1]) // 2
        bottom, right = top + self.crop[0], left + self.crop[1]
        return top / rows, left / cols, bottom / rows, right / cols

    def resized(self, height: int, width: int) -> tuple[int, int]:
        """Height and width in pixels after the resize, before the crop."""
        if self.resize is None:
            return height, width
        if isinstance(self.resize, tuple):
            return self.resize
        short, long = min(height, width), max(height, width)
        scaled = int(self.resize * long / short)
        return (self.resize, scaled) if height <= width else (scaled, self.resize)

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "EvalView":
        """From what `to_json` gave."""
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in value.items()})


@dataclass(frozen=True, kw_only=True)
class ArraySpec:
    """One array of a target: its shape, and its dtype by name (bfloat16 is kept as uint16 bits)."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, kw_only=True)
class TargetSpec:
    """What a target offers to a method, whether it is read from a store or computed live."""

    name: str
    rows: int
    views: int
    embedding_dim: int | None
    classes: int | None
    class_names: tuple[str, ...] | None
    arrays: Mapping[str, ArraySpec] = field(default_factory=dict)
    extras: Mapping[str, "TargetSpec"] = field(default_factory=dict)
    """Targets that are read beside this one, by name: those of RDMs, of assistants."""


def plain(value: Any) -> Any:
    """A result as JSON has it: dataclasses are objects, paths are texts, NaN and infinity (which JSON lacks) null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value

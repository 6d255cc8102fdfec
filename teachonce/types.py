"""Plain descriptions that every room shares. NumPy at most; never torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from teachonce.bounds import CLOSED, Bounds, Side

JsonObject = Mapping[str, object]
"""An object of JSON of which no reader here knows the keys."""
Identity = Literal["encoded", "array", "key"]
StoredDtype = Literal["float16", "bfloat16", "float32"]
TeacherDtype = Literal["float32", "bf16", "fp16"]
"""Of a teacher's weights and of its arithmetic."""
Resizing = Literal["early", "pillow-10", "pillow-12.2", "pillow-13"]
"""A rule by which views are resized, see `teachonce.data.rules`: a store's, for as long as it exists."""
EARLY: Resizing = "early"
"""The rule of stores and runs that name none."""
Filter = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
"""A resampling filter, as PIL defines it."""
_Deviation = Annotated[float, Bounds(above=0)]
PerClass = int | Literal["all"]
"""How many rows of each class a class mean is over, at most."""
Box = tuple[float, float, float, float]
Probe = Callable[[str], None]
"""Hears the name of the part of a step that has just been submitted; see `teachonce.engine.probe`."""

ABSENT, DECODED, FAILED = 0, 1, 2  # samples/status and targets/NAME/status


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """What a model takes: pixels of shape (B, 3, height, width), float32, normalised by mean and std."""

    __pydantic_config__: ClassVar = CLOSED

    height: Side
    width: Side
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[_Deviation, _Deviation, _Deviation] = (0.5, 0.5, 0.5)
    filter: Filter = "bicubic"


@dataclass(frozen=True, kw_only=True)
class EvalView:
    """The evaluation view as a rule: resize, then centre crop, as image processors do."""

    __pydantic_config__: ClassVar = CLOSED

    resize: tuple[Side, Side] | Side | None = None
    """(height, width): exactly so; one number: the shortest edge; None: the image as it is."""
    crop: tuple[Side, Side] | None = None
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
    class_names: tuple[str, ...] | None
    """Of the logits, in their order."""
    arrays: Mapping[str, ArraySpec] = field(default_factory=dict)
    """Signal -> shape (rows, views, width) and dtype."""

    def width(self, signal: str) -> int | None:
        """The width of a signal of rows, such as C of `logits`; None where the target has none."""
        return self.arrays[signal].shape[-1] if signal in self.arrays else None

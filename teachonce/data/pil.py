"""The same views by PIL, one image at a time: its C loops beat dense matrices on large images."""

from functools import lru_cache

import numpy as np
import torch
from PIL import Image

from teachonce.data.geometry import Geometry
from teachonce.data.render import normalise, render_bytes
from teachonce.data.rules import RULES, installed_rule
from teachonce.data.views import TURNS, eval_views
from teachonce.types import EARLY, EvalView, Filter, InputSpec, Resizing

_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_MOST_CROPPED = 16  # resized pixels per pixel of a crop, beyond which resizing the whole image is a waste


def render_image(image: np.ndarray, params: np.ndarray, spec: InputSpec, rule: Resizing | None = None) -> np.ndarray:
    """One view of one image, byte for byte what `render_bytes` gives.

    Args:
        image: uint8 (H, W, 3).
        params: float32 (6,).
        spec: Size and filter.
        rule: How it is resized: a store's own; None: as the installed Pillow does.

    Returns:
        uint8 (3, spec.height, spec.width).
    """
    rule = rule or installed_rule()
    known = spec.filter in _RESAMPLING and (spec.filter != "nearest" or RULES[rule].exact)
    if known and params[:4].min() >= 0 and params[:4].max() <= 1 and pil_agrees():
        drawn = _by_pil(image, params, spec, rule)
        if drawn is not None:
            return drawn
    writable = np.require(image, requirements=["C", "W"])  # torch warns of others
    return render_bytes(torch.from_numpy(writable)[None], params[None], spec, rule=rule)[0].numpy()


def evaluation_view(image: np.ndarray, spec: InputSpec, view: EvalView) -> np.ndarray:
    """What a model sees of an image by its evaluation view, as the installed Pillow resizes.

    Args:
        image: uint8 (H, W, 3).
        spec: The model's input.
        view: The rule.

    Returns:
        float32 (3, spec.height, spec.width), normalised.
    """
    params = eval_views(np.array([image.shape[:2]]), view)[0, 0]
    return normalise(torch.from_numpy(render_image(image, params, spec))[None], spec)[0].numpy()


def _by_pil(image: np.ndarray, params: np.ndarray, spec: InputSpec, rule: Resizing) -> np.ndarray | None:
    """None where PIL would have to resize far more than the view shows."""
    turns = int(np.rint(params[TURNS])) % 4
    out = (spec.width, spec.height) if turns % 2 else (spec.height, spec.width)
    geometry = Geometry.of(params[None], np.array([image.shape[:2]]), out, rule)[0]
    tall, wide = np.where(geometry.on_grid, geometry.resized, out).tolist()
    if tall * wide > _MOST_CROPPED * out[0] * out[1]:
        return None
    (y0, x0), (y1, x1) = geometry.low.tolist(), geometry.high.tolist()
    picture, kind = Image.fromarray(image), _RESAMPLING[spec.filter]
    # One axis at a time: by itself, Pillow would choose their order as the installed version does.
    if geometry.columns_first:
        picture = picture.resize((picture.width, tall), kind, box=(0, y0, picture.width, y1))
        picture = picture.resize((wide, tall), kind, box=(x0, 0, x1, tall))
    else:
        picture = picture.resize((wide, picture.height), kind, box=(x0, 0, x1, picture.height))
        picture = picture.resize((wide, tall), kind, box=(0, y0, wide, y1))
    top, left = geometry.first.tolist()
    pixels = np.asarray(picture)[top : top + out[0], left : left + out[1]]
    if geometry.flip[1]:
        pixels = pixels[:, ::-1]
    return np.require(np.rot90(pixels, turns).transpose(2, 0, 1), requirements=["C", "W"])  # torch warns of others


@lru_cache(maxsize=1)
def pil_agrees() -> bool:
    """Whether this PIL computes as ours does: a fork with other arithmetic (Pillow-SIMD) does not, and is not used."""
    image = np.random.default_rng(0).integers(0, 256, (57, 33, 3), dtype=np.uint8)
    views = np.array([[0, 0, 1, 1, 0, 0], [0.1, 0.2, 0.7, 0.9, 1, 0]], np.float32)
    cases: tuple[tuple[int, Filter], ...] = ((64, "bicubic"), (16, "bilinear"), (20, "lanczos"), (19, "nearest"))
    for size, name in cases:
        spec = InputSpec(height=size, width=size, filter=name)
        for rule in RULES.keys() - ({EARLY} if name == "nearest" else ()):
            ours = render_bytes(torch.from_numpy(np.stack([image, image])), views, spec, rule=rule).numpy()
            drawn = [_by_pil(image, view, spec, rule) for view in views]
            if any(other is None or (one != other).any() for one, other in zip(ours, drawn, strict=True)):
                return False
    return True

"""The same views by PIL, one image at a time: for workers, where its C loops beat dense matrices on large images."""

from functools import lru_cache

import numpy as np
import torch
from PIL import Image

from teachonce.data.render import render_bytes
from teachonce.data.views import FLIP, TURNS, X0, X1, Y0, Y1
from teachonce.types import InputSpec

_RESAMPLING = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def render_image(image: np.ndarray, params: np.ndarray, spec: InputSpec) -> np.ndarray:
    """One view of one image, byte for byte what `render_bytes` gives.

    Args:
        image: uint8 (H, W, 3).
        params: float32 (6,).
        spec: Size and filter.

    Returns:
        uint8 (3, spec.height, spec.width).
    """
    inside = params[:4].min() >= 0 and params[:4].max() <= 1
    if inside and spec.filter in _RESAMPLING and pil_agrees():
        return _by_pil(image, params, spec)
    writable = np.require(image, requirements=["C", "W"])  # torch warns of others
    return render_bytes(torch.from_numpy(writable)[None], params[None], spec)[0].numpy()


def _by_pil(image: np.ndarray, params: np.ndarray, spec: InputSpec) -> np.ndarray:
    turns = int(np.rint(params[TURNS])) % 4
    height, width = (spec.width, spec.height) if turns % 2 else (spec.height, spec.width)
    tall, wide = image.shape[:2]
    y0, x0, y1, x1 = (
        (params[[Y0, X0, Y1, X1]].astype(np.float64) * (tall, wide, tall, wide)).astype(np.float32).tolist()
    )
    # One axis at a time: Pillow 13 chooses their order by the shape, earlier ones took the lines first, as we do.
    lines = Image.fromarray(image).resize((width, tall), _RESAMPLING[spec.filter], box=(x0, 0, x1, tall))
    pixels = np.asarray(lines.resize((width, height), _RESAMPLING[spec.filter], box=(0, y0, width, y1)))
    if params[FLIP] > 0.5:
        pixels = pixels[:, ::-1]
    return np.require(np.rot90(pixels, turns).transpose(2, 0, 1), requirements=["C", "W"])  # torch warns of others


@lru_cache(maxsize=1)
def pil_agrees() -> bool:
    """Whether this PIL computes as ours does: a fork with other arithmetic (Pillow-SIMD) does not, and is not used."""
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (37, 53, 3), dtype=np.uint8)
    views = np.array([[0, 0, 1, 1, 0, 0], [0.1, 0.2, 0.7, 0.9, 1, 0]], np.float32)
    for size, name in ((64, "bicubic"), (16, "bilinear"), (20, "lanczos")):
        spec = InputSpec(height=size, width=size, filter=name)
        ours = render_bytes(torch.from_numpy(np.stack([image, image])), views, spec).numpy()
        if any((ours[i] != _by_pil(image, views[i], spec)).any() for i in range(len(views))):
            return False
    return True

"""What `embed` is asked for, checked before anything is loaded or written."""

import re
from dataclasses import dataclass
from typing import get_args

from teachonce.cache.layout import check_name
from teachonce.engine.settings import check_seed
from teachonce.errors import InputError
from teachonce.types import StoredDtype

_MACHINE = ("teacher_device_map", "trust_remote_code", "device", "workers")
PLACES = ("store", "name", "blocks", "max_failed", "repair", "revision", *_MACHINE)
"""Options of `embed` that do not tell targets apart: where one lies, how much of it is filled, and what computes it.

A revision is told apart by the weights that it has.
"""


@dataclass(frozen=True, kw_only=True)
class Request:
    """The settings of one pass that are checked by themselves; those of teacher and data are checked by their rooms."""

    name: str
    dtype: str
    views: int | None
    """Views of each sample; None: those of the store, or one."""
    augment: str | None
    batch_size: int | None
    block_rows: int | None
    per_class: int | None
    max_failed: int
    blocks: str | None
    seed: int
    tf32: bool = False
    """Whether a GPU may round the inputs of float32 products to TF32."""
    repair: bool = False
    """Mend what is damaged, and run its blocks again."""

    def __post_init__(self) -> None:
        """Check each setting.

        Raises:
            InputError: The first that cannot be used.
        """
        check_name(self.name)
        check_seed(self.seed)
        if self.dtype not in get_args(StoredDtype):
            raise InputError(f"unknown dtype {self.dtype!r}", f"Use one of {', '.join(get_args(StoredDtype))}")
        for option, value, least in (
            ("views", self.views, 1),
            ("batch size", self.batch_size, 1),
            ("block rows", self.block_rows, 1),
            ("per class", self.per_class, 1),
            ("max failed", self.max_failed, 0),
        ):
            if value is not None and value < least:
                raise InputError(f"{option} must be at least {least}, got {value}", "Use a larger number")
        if self.block_rows is not None and self.block_rows & (self.block_rows - 1):
            raise InputError(f"block rows must be a power of two, got {self.block_rows}", "Use 64 or 2048, for example")


def parse_blocks(text: str | None, blocks: int) -> range:
    """The blocks of `A:B` (B left out), of `A-B` (B included), of one number, or all.

    Args:
        text: What was asked for; either end of `A:B` may be absent.
        blocks: How many the store has.

    Raises:
        InputError: Not a range, or not one of this store.
    """
    if text is None:
        return range(blocks)
    mend = f"Use FIRST:END with 0 <= FIRST < END <= {blocks}, such as 0:{max(1, blocks // 2)}"
    half_open = re.fullmatch(r"(\d*):(\d*)", text.strip())
    closed = re.fullmatch(r"(\d+)(?:-(\d+))?", text.strip())
    if half_open:
        first, end = int(half_open[1] or 0), int(half_open[2] or blocks)
    elif closed:
        first, end = int(closed[1]), int(closed[2] or closed[1]) + 1
    else:
        raise InputError(f"{text!r} is not a range of blocks", mend)
    if not first < end <= blocks:
        raise InputError(f"blocks {text} are not among the {blocks} of this store", mend)
    return range(first, end)

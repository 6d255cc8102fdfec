"""Checks of the options of `embed`, before anything is loaded or written."""

import re

from teachonce.cache.layout import check_name
from teachonce.engine.settings import check_seed
from teachonce.errors import InputError
from teachonce.options.embed import EmbedOptions


def check_pass(options: EmbedOptions) -> None:
    """Refuse what cannot be used.

    Raises:
        InputError: The first such setting.
    """
    check_name(options.name)
    check_seed(options.seed)
    rows = options.block_rows
    if rows is not None and rows & (rows - 1):
        raise InputError(f"block rows must be a power of two, got {rows}", "Use 64 or 2048, for example")


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

"""Weights of a checkpoint that a network has no place for: parts that are left out, or a reason to refuse it."""

import re
from collections.abc import Iterable

from torch import nn

from teachonce.errors import ModelError
from teachonce.texts import count_text

_DERIVED = re.compile(
    r"(^|\.)(position_ids|inv_freq|relative_position_index|relative_coords_table|attn_mask|num_batches_tracked"
    r"|mask_token|pooler\..*|total_ops|total_params)$"
)
"""What a network computes itself, needs for masked images only, or would pool with after its last layer."""
_TASK = re.compile(
    r"head|classifier|decode|text|lm_|logit|pred|bbox|cls|fc|neck|fpn|codebook|token_type|queue|momentum"
)
"""Names of parts that come after an encoder, or are not for images."""
_BEFORE = re.compile(r"norm|(?<!text_)proj")


def unused_parts(spec: str, network: nn.Module, unexpected: Iterable[str]) -> tuple[str, ...]:
    """The parts of a checkpoint that a network lacks altogether, by name, such as a classification head of an encoder.

    Args:
        spec: What the user calls it.
        network: A model of transformers.
        unexpected: The weights that loading found no place for.

    Raises:
        ModelError: A weight belongs inside of a part that the network has: it would compute something else.
    """
    base = str(getattr(network, "base_model_prefix", ""))
    prefix = f"{base}." if base and not hasattr(network, base) else ""
    names = sorted({name.removeprefix(prefix) for name in unexpected if not _DERIVED.search(name)})
    own = {name.split(".")[0] for name in network.state_dict()}
    inside = [name for name in names if name.split(".")[0] in own]
    if inside:
        count = count_text(len(inside), "weight")
        message = f"{spec!r} has {count} that its network does not have ({', '.join(inside[:3])})"
        mend = "Correct its config.json, or use the checkpoint with the version of transformers that wrote it"
        raise ModelError(f"{message}: its outputs would be another model's", mend)
    return tuple(dict.fromkeys(name.split(".")[0] for name in names))


def matters(part: str) -> bool:
    """Whether an embedding may be meant to pass a part that is left out: a norm, a projection, or what is unknown."""
    return _BEFORE.search(part) is not None or _TASK.search(part) is None


def require_weights(spec: str, absent: Iterable[str], unexpected: Iterable[str]) -> None:
    """Refuse a network with weights that its checkpoint lacks.

    Raises:
        ModelError: There are some.
    """
    missing, other = sorted(absent), sorted(unexpected)
    if not missing:
        return
    count = count_text(len(missing), "weight")
    message = f"{spec!r} lacks {count} that its config requires ({', '.join(missing[:3])})"
    mend = "Use a complete checkpoint, or correct `architectures` in its config.json"
    wrapped = next((name for name in other if any(name.endswith(f".{key}") for key in missing)), None)
    if wrapped is not None:
        mend = f"It has {wrapped}: save the network inside its wrapper (DataParallel's is .module) instead"
    raise ModelError(f"{message}: they would be random", mend)

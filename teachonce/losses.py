"""The losses of all methods, as pure functions of tensors: `losses.kd(logits, teacher_logits, temperature=4)`.

Each stands in the file of its method, which is imported when it is first used. Teacher tensors are detached; all is
computed in float32 at least.
"""

from collections.abc import Callable
from importlib import import_module

from torch import Tensor

from teachonce.options.methods import LOSSES

__all__ = sorted(LOSSES)


def __getattr__(name: str) -> Callable[..., Tensor]:
    if name not in LOSSES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}: there are {', '.join(LOSSES)}")
    value: Callable[..., Tensor] = getattr(import_module(f"teachonce.methods.{LOSSES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *LOSSES])

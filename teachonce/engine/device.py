"""Where and how precisely it computes, and what memory that took."""

import resource
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

import torch

from teachonce.errors import InputError
from teachonce.events import Events
from teachonce.models.precision import TORCH_DTYPES
from teachonce.types import TeacherDtype

Precision = Literal["float32", "bf16"]
Autocast = Callable[[], AbstractContextManager[object]]
"""Gives the context of a forward."""
_PRECISIONS = ("auto", "float32", "bf16")
_STATUS = Path("/proc/self/status")


def pick_device(name: str | None) -> torch.device:
    """The device of a name; None and "auto" take CUDA where it is, else the CPU.

    Raises:
        InputError: No such device here.
    """
    if name in (None, "auto"):
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(str(name))
    except RuntimeError as error:
        raise InputError(f"no such device: {name!r}", "Use auto, cpu, cuda or cuda:1") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device {name} was requested, but torch finds no CUDA here", "Use --device auto or cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device {name} was requested, the number of GPUs is {torch.cuda.device_count()}", "Use a smaller number"
        )
    if device.type not in ("cpu", "cuda") and not _holds_values(device):
        raise InputError(f"device {name} was requested, but torch cannot compute on it", "Use --device auto or cpu")
    return device


def _holds_values(device: torch.device) -> bool:
    """Whether torch was built for it, finds it, and keeps values there: `meta` keeps shapes only."""
    try:
        return torch.zeros(1, device=device).tolist() == [0]
    except (RuntimeError, AssertionError, ImportError):
        return False


def pick_precision(name: str, device: torch.device) -> Precision:
    """float32, or bf16 (float32 weights under bfloat16 autocast); "auto" is bf16 on a GPU that computes in it.

    Raises:
        InputError: Unknown precision.
    """
    if name not in _PRECISIONS:
        raise InputError(f"unknown precision {name!r}", f"Use one of {', '.join(_PRECISIONS)}")
    if name == "auto":
        return "bf16" if device.type == "cuda" and _computes_bf16(device) else "float32"
    return "bf16" if name == "bf16" else "float32"


def teacher_precision(precision: Precision, dtype: TeacherDtype) -> Precision:
    """The precision of a teacher's forward: autocast is for float32 weights, others compute in their own dtype."""
    return precision if dtype == "float32" else "float32"


def pick_compute_dtype(precision: str, device: torch.device, dtype: TeacherDtype) -> str:
    """The dtype that a teacher computes in: that of its weights, or bfloat16 where autocast is over float32 weights.

    Raises:
        InputError: Unknown precision.
    """
    picked = pick_precision(precision, device)
    return str(TORCH_DTYPES[picked if dtype == "float32" else dtype]).removeprefix("torch.")


def _computes_bf16(device: torch.device) -> bool:
    """Whether a GPU has bfloat16 arithmetic: an older one emulates it, more slowly than it computes in float32."""
    with torch.cuda.device(device):  # torch asks the current device
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def warn_tf32(asked: bool, device: torch.device, is_bf16: bool, events: Events) -> None:
    """Say where `--tf32` has no effect."""
    if asked and (is_bf16 or device.type != "cuda"):
        events.warn(
            f"--tf32 has no effect {'on bf16' if is_bf16 else 'on a CPU'}: it applies to float32 arithmetic on a GPU"
        )


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[None]:
    """The context of a forward: bfloat16 autocast for bf16, and none for float32, whatever is around it."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def reset_peak(device: torch.device) -> None:
    """Begin to measure the device's peak memory."""
    if device.type == "cuda":
        torch.cuda.init()  # type: ignore[no-untyped-call]  # the allocator knows no device before
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_bytes(device: torch.device) -> int | None:
    """The most memory that tensors took on the device since `reset_peak`; None on a CPU."""
    return int(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else None


def host_memory_bytes() -> int:
    """The most resident memory this process ever had; if it was forked, without what it has not touched since."""
    if _STATUS.exists():  # Linux: there `ru_maxrss` begins at the parent's memory, whatever the child itself takes
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024

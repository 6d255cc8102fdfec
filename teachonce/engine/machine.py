"""The machine that numbers were measured on: its parts, and nothing that tells whose it is."""

import platform
from datetime import UTC, datetime
from pathlib import Path

import psutil
import torch

from teachonce.data.workers import count_processors
from teachonce.engine.records import Machine

_CPUINFO = Path("/proc/cpuinfo")
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def this_machine(device: torch.device | None = None) -> Machine:
    """The machine at hand.

    Args:
        device: Where it computes: its GPU alone is named, and none for a CPU; None: all GPUs are.
    """
    return Machine(
        processor=_processor(),
        cores=count_processors(),
        memory_bytes=_memory(),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        gpus=_gpus(device),
    )


def _processor() -> str:
    if _CPUINFO.exists():
        lines = _CPUINFO.read_text(errors="replace").splitlines()
        names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        name = next(names, "")
        if name:
            return name
    return platform.processor() or platform.machine()


def _memory() -> int:
    total = int(psutil.virtual_memory().total)
    for path in _LIMITS:
        try:
            total = min(total, int(path.read_text()))
        except (OSError, ValueError):  # no such controller, or "max": no limit
            continue
    return total


def _gpus(device: torch.device | None) -> tuple[str, ...]:
    if device is not None and device.type == "cuda":
        return (torch.cuda.get_device_name(device),)
    if device is not None or not torch.cuda.is_available():
        return ()
    return tuple(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))


def now() -> str:
    """The time, in UTC and to the second, as ISO 8601 has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")

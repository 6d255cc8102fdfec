"""How much memory decoded images may take."""

from pathlib import Path
from typing import Literal

import psutil
import torch

from teachonce.heap import give_back

HOST_SHARE, DEVICE_SHARE = 0.4, 0.25
"""Shares of what is available now: the rest is for the models, the cached targets, and other processes."""

Placement = Literal["device", "host", "streamed"]
_MARGIN = 1.3  # of an estimate from a few images, before the rest is decoded for nothing
_CGROUP = Path("/sys/fs/cgroup")


def host_budget() -> int:
    """Bytes of host memory that images may take by default."""
    return int(HOST_SHARE * available_memory())


def device_budget(device: torch.device) -> int:
    """Bytes of the device's memory that images may take by default; on a CPU, those of the host."""
    if device.type != "cuda":
        return host_budget()
    return int(DEVICE_SHARE * torch.cuda.mem_get_info(device)[0])


def where_kept(size: int, *, host: int, device: int) -> Placement:
    """Where images are kept.

    Args:
        size: Bytes of all of them, decoded, about.
        host: What they may take there; they are decoded there in any case.
        device: What they may take on the device.
    """
    if size * _MARGIN > host:
        return "streamed"
    return "device" if size <= device else "host"


def available_memory() -> int:
    """Bytes that can be allocated without swapping, within the container's limit where there is one.

    What this process has freed and kept is given back first, so that it counts.
    """
    give_back()
    available = psutil.virtual_memory().available
    for limit, usage in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            room = int((_CGROUP / limit).read_text()) - int((_CGROUP / usage).read_text())
        except (OSError, ValueError):  # no such controller, or "max": no limit
            continue
        available = min(available, max(room, 0))
    return int(available)

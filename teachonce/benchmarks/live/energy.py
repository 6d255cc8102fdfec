"""A meter of energy: the counter that NVIDIA's driver keeps of a GPU, as far as there is one."""

from collections.abc import Callable
from typing import Any

import torch

from teachonce.benchmarks.rounds import wait


class EnergyMeter:
    """Joules of a GPU since its driver was loaded, of which differences count.

    The counter is the whole device's: idle power is in it, and whatever else runs there. Arms take turns, so that in an
    arm's own turn the others' processes only keep memory.

    Args:
        device: A GPU; a CPU has no counter here.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._handle, self._nvml = _find(device)

    @property
    def works(self) -> bool:
        """Whether the device reports energy (Volta and later), and the `gpu` extra is installed."""
        return self._handle is not None

    def joules(self, work: Callable[[], object]) -> float:
        """What some work takes, where the meter works; the counter moves some ten times a second only."""
        wait(self._device)
        before = self._total()
        work()
        wait(self._device)
        return self._total() - before

    def _total(self) -> float:
        return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1e3


def _find(device: torch.device) -> tuple[Any, Any]:
    """NVML's handle of a GPU, and NVML itself; by its UUID, since CUDA may number or hide GPUs in another way."""
    if device.type != "cuda":
        return None, None
    try:
        import pynvml
    except ImportError:
        return None, None
    try:
        pynvml.nvmlInit()
        uuid = str(torch.cuda.get_device_properties(device).uuid)
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}")
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except (pynvml.NVMLError, AttributeError):  # no driver here, an older GPU, a part of one
        return None, None
    return handle, pynvml

"""Meters of memory: what is allocated between steps, and at most during one.

On a GPU torch's allocator counts; the workspaces that CUDA's matrix products keep are among it, some tens of MB, and
`workspace_bytes` tells them apart. On a CPU nothing counts, so tensors are looked for: between steps the storages of
all that are alive, and during a step what torch's profiler hears of the allocator. What is no tensor (the interpreter,
libraries, a matrix product's own workspace) is then in neither; the process's resident memory has it all.
"""

import gc
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Literal

import torch
from torch import Tensor, nn
from torch.autograd.profiler import profile as autograd_profile

from teachonce.benchmarks.rounds import wait

Meter = Literal["cuda allocator", "tensors"]


def meter_of(device: torch.device) -> Meter:
    """Which meter a device has."""
    return "cuda allocator" if device.type == "cuda" else "tensors"


def allocated_bytes(device: torch.device, used: Iterable[Tensor] = ()) -> int:
    """Bytes that tensors take on a device now.

    Args:
        device: Where.
        used: Tensors that are the used part of a larger storage, of which the rest is address space and no memory;
            for the meter of a CPU.
    """
    gc.collect()
    if device.type == "cuda":
        wait(device)
        return int(torch.cuda.memory_allocated(device))
    return storage_bytes(_alive(device.type), used)


def workspace_bytes(device: torch.device) -> int:
    """Bytes that CUDA's libraries keep for matrix products whatever is trained; they are of what is allocated.

    They are given back to see how many they are, and taken again by the next product.
    """
    if device.type != "cuda":
        return 0
    wait(device)
    before = int(torch.cuda.memory_allocated(device))
    torch._C._cuda_clearCublasWorkspaces()
    return before - int(torch.cuda.memory_allocated(device))


def transient_bytes(device: torch.device, work: Callable[[], object]) -> int:
    """The most that some work takes at once beyond what was allocated when it began, in bytes."""
    if device.type == "cuda":
        wait(device)
        before = int(torch.cuda.memory_allocated(device))
        torch.cuda.reset_peak_memory_stats(device)
        work()
        wait(device)
        return int(torch.cuda.max_memory_allocated(device)) - before
    return max(0, *accumulate(_allocations(work), initial=0))


def storage_bytes(tensors: Iterable[Tensor], used: Iterable[Tensor] = ()) -> int:
    """Bytes of the storages of tensors, each storage once however many tensors share it.

    Args:
        tensors: Strided ones of any devices; their gradients are counted with them.
        used: See `allocated_bytes`.
    """
    sizes: dict[int, int] = {}
    for tensor in tensors:
        for part in (tensor, _gradient(tensor)):
            if part is not None:
                storage = part.untyped_storage()
                sizes[storage.data_ptr()] = max(sizes.get(storage.data_ptr(), 0), storage.nbytes())
    for tensor in used:
        pointer = tensor.untyped_storage().data_ptr()
        if pointer in sizes:
            sizes[pointer] = tensor.nbytes
    return sum(sizes.values())


def module_bytes(modules: Iterable[nn.Module]) -> int:
    """Bytes of the parameters and buffers of modules, each once; gradients are not among them."""
    parts = [part.detach() for module in modules for part in (*module.parameters(), *module.buffers())]
    return storage_bytes(parts)


def optimiser_bytes(optimizer: torch.optim.Optimizer) -> int:
    """Bytes of an optimiser's state: none before its first step."""
    states = (value for state in optimizer.state.values() for value in state.values())
    return storage_bytes(value for value in states if isinstance(value, Tensor))


def _alive(kind: str) -> list[Tensor]:
    """All strided tensors with memory of their own on devices of a kind."""
    found = [thing for thing in gc.get_objects() if issubclass(type(thing), Tensor)]
    return [t for t in found if t.device.type == kind and t.layout == torch.strided and not _is_bare(t)]


def _is_bare(tensor: Tensor) -> bool:
    """Whether it has no storage that could be asked: of a compiler's fake tensors, say."""
    try:
        return tensor.untyped_storage().data_ptr() == 0
    except (RuntimeError, NotImplementedError):
        return True


def _gradient(tensor: Tensor) -> Tensor | None:
    return tensor.grad if tensor.is_leaf else None


def _allocations(work: Callable[[], object]) -> list[int]:
    """Bytes that torch's CPU allocator gave (above 0) and took back (below), in the order of time.

    The profiler's public tables give sums by operator; the levels in between are in its events alone.
    """
    with autograd_profile(profile_memory=True) as profile:  # torch.profiler's imports torch._inductor
        work()
    assert profile.kineto_results is not None
    events = [event for event in profile.kineto_results.events() if event.name() == "[memory]"]
    ours = (event for event in events if event.device_type() == torch._C._autograd.DeviceType.CPU)
    return [event.nbytes() for event in sorted(ours, key=lambda event: event.start_ns())]

"""Devices and precisions."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from teachonce.engine.device import (
    autocast,
    host_memory_bytes,
    peak_memory_bytes,
    pick_device,
    pick_precision,
    reset_peak,
    warn_tf32,
)
from teachonce.errors import InputError
from tests.stages.trainkit import Heard

CPU = torch.device("cpu")


def test_names():
    assert pick_device("cpu") == CPU
    assert pick_device(None) == pick_device("auto")
    with pytest.raises(InputError, match="no such device"):
        pick_device("gpu0")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA here")
def test_cuda_that_is_not_there():
    with pytest.raises(InputError, match="no CUDA") as caught:
        pick_device("cuda")
    assert "cpu" in caught.value.mend


def test_precision():
    assert pick_precision("auto", CPU) == "float32"
    assert pick_precision("bf16", CPU) == "bf16"
    with pytest.raises(InputError, match="fp16"):
        pick_precision("fp16", CPU)


def test_the_precision_of_one_training_is_none_of_another():
    a, b = torch.ones(2, 2), torch.ones(2, 2)
    with autocast(CPU, "bf16"):
        assert (a @ b).dtype == torch.bfloat16
        with autocast(CPU, "float32"):
            assert (a @ b).dtype == torch.float32
        assert (a @ b).dtype == torch.bfloat16


class Cuda:
    """Two GPUs that are not here: the second computes in bfloat16, the first emulates it. Nothing is set up yet."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.current, self.ready = 0, False
        patch.setattr(torch.cuda, "device", self.device)
        patch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or self.current
        )
        patch.setattr(torch.cuda, "init", lambda: setattr(self, "ready", True))
        patch.setattr(torch.cuda, "reset_peak_memory_stats", self.reset)

    @contextmanager
    def device(self, device: torch.device) -> Iterator[None]:
        before, self.current = self.current, device.index or 0
        yield
        self.current = before

    def reset(self, device: torch.device) -> None:
        if not self.ready:
            raise RuntimeError(f"Invalid device argument {device.index}: did you call init?")


def test_bf16_is_taken_where_the_gpu_in_use_computes_in_it(monkeypatch: pytest.MonkeyPatch):
    cuda = Cuda(monkeypatch)
    found = [pick_precision("auto", torch.device("cuda", index)) for index in (0, 1)]
    assert found == ["float32", "bf16"]
    assert pick_precision("bf16", torch.device("cuda", 0)) == "bf16"  # as it was asked for
    assert cuda.current == 0


def test_a_peak_can_be_reset_before_anything_ran_on_the_gpu(monkeypatch: pytest.MonkeyPatch):
    cuda = Cuda(monkeypatch)
    reset_peak(torch.device("cpu"))
    assert not cuda.ready
    reset_peak(torch.device("cuda:0"))
    assert cuda.ready


@pytest.mark.parametrize(
    ("asked", "device", "is_bf16", "warned"),
    [
        (True, "cpu", False, True),
        (True, "cuda:1", True, True),
        (True, "cuda:1", False, False),
        (False, "cpu", True, False),
    ],
)
def test_tf32_says_where_it_has_no_effect(asked: bool, device: str, is_bf16: bool, warned: bool):
    heard = Heard()
    warn_tf32(asked, torch.device(device), is_bf16, heard)
    assert len(heard.warnings) == warned


def test_memory():
    assert peak_memory_bytes(CPU) is None
    assert host_memory_bytes() > 50_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="only there a child's ru_maxrss begins at its parent's")
def test_memory_of_a_child_is_its_own():
    ballast = np.ones(1 << 26)  # 512 MiB, which a child does not have
    code = "from teachonce.engine.device import autocast, host_memory_bytes; print(host_memory_bytes())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(told.stdout) < ballast.nbytes <= host_memory_bytes()

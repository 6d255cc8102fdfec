"""Devices and precisions."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from teachonce.engine.device import autocast, host_memory_bytes, peak_memory_bytes, pick_device, pick_precision
from teachonce.errors import InputError

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


def test_memory():
    assert peak_memory_bytes(CPU) is None
    assert host_memory_bytes() > 50_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="only there a child's ru_maxrss begins at its parent's")
def test_memory_of_a_child_is_its_own():
    ballast = np.ones(1 << 27)  # 1 GiB, which a child does not have
    code = "from teachonce.engine.device import autocast, host_memory_bytes; print(host_memory_bytes())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(told.stdout) < ballast.nbytes <= host_memory_bytes()

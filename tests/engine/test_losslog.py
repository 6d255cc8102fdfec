"""Losses on the device: means, and the step at which they stopped being finite."""

import pytest
import torch

from teachonce.engine.losslog import LossLog
from teachonce.errors import NonFiniteError


def put(log, *values):
    for value in values:
        log.put(torch.tensor([value, 2 * value, 3 * value], requires_grad=True))


def test_means_and_reuse():
    log = LossLog(["ce", "kd"], 4, torch.device("cpu"))
    put(log, 1.0, 3.0)
    assert log.check(1, 0) == 9.0
    assert log.finish() == {"loss": 6.0, "loss_ce": 2.0, "loss_kd": 4.0}
    put(log, 5.0, 5.0, 5.0, 5.0)
    log.check(2, 4)
    assert log.finish()["loss_ce"] == 5.0


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_the_first_bad_step_is_named(bad):
    log = LossLog(["ce", "kd"], 9, torch.device("cpu"))
    put(log, 1.0, 1.0)
    log.check(3, 100)
    put(log, 1.0, bad, bad)
    with pytest.raises(NonFiniteError, match=r"step 104 \(epoch 3\)"):
        log.check(3, 100)

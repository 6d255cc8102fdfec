"""What of K RDMs decays, which epoch is kept, and that no TensorBoard file is left for a training in passing."""

from pathlib import Path
from typing import Any

import pytest
import torch

from teachonce.engine.losslog import LossLog
from teachonce.engine.metrics import MetricsLog
from teachonce.engine.rdm.fit import Fit
from teachonce.engine.rdm.job import open_job
from teachonce.engine.rdm.measure import Scores, rank_of
from teachonce.engine.rdm.names import named
from teachonce.engine.records import RdmEpoch
from teachonce.errors import NonFiniteError
from teachonce.events import SILENT
from teachonce.options.rdm import RdmOptions
from tests.stages.rdmkit import make, memory_folder


@pytest.fixture
def fit(tmp_path: Path) -> Any:
    with memory_folder() as folder:
        store = make(folder / "s.zarr")
        config = RdmOptions(
            store=store.path, distortion_weight=(10.0, 1.0), batch_size=32, val_fraction=0.2, device="cpu"
        )
        yield Fit(open_job(config, SILENT), named(config.distortion_weight), tmp_path, SILENT)


def test_only_the_linear_weights_decay(fit: Fit):
    decayed, *others = fit.optimizer.param_groups
    assert [p.shape for p in decayed["params"]] == [layer.weight.shape for layer in fit.stack.layers]
    assert {id(p) for group in others for p in group["params"]} == {
        id(p) for name, p in fit.stack.named_parameters() if "weight" not in name
    }
    assert all(group["weight_decay"] == 0 for group in others)


def test_a_folder_names_the_settings_and_not_their_order(fit: Fit):
    config = fit.job.config
    same = RdmOptions(**{**vars(config), "distortion_weight": (1.0, 10.0)})
    other = RdmOptions(**{**vars(config), "epochs": 29})
    whole = RdmOptions(**{**vars(config), "temperature": 2, "weight_decay": 0, "gamma": 1})
    real = RdmOptions(**{**vars(config), "weight_decay": 0.0, "gamma": 1.0})
    assert open_job(whole, SILENT).work == open_job(real, SILENT).work
    assert open_job(same, SILENT).work == fit.job.work != open_job(other, SILENT).work
    assert fit.job.work.parent.name == "s.zarr.work"


@pytest.mark.parametrize(
    ("select", "best"),
    [("top1", Scores(bits=9, val_loss=2, val_top1=0.5)), ("loss", Scores(bits=9, val_loss=1, val_top1=0.4))],
)
def test_the_rank_of_epochs(select: Any, best: Scores):
    scores = [
        Scores(bits=9, val_loss=3, val_top1=0.5),
        Scores(bits=9, val_loss=2, val_top1=0.5),
        Scores(bits=9, val_loss=1, val_top1=0.4),
    ]
    assert max(scores, key=lambda score: rank_of(vars(score), select)) == best


def test_without_accuracy_the_loss_ranks():
    worse, better = (vars(Scores(bits=1, val_loss=loss)) for loss in (2, 1))
    assert rank_of(better, "top1") > rank_of(worse, "top1")


def test_a_log_without_a_board(tmp_path: Path):
    log = MetricsLog(RdmEpoch, tmp_path, 0, board=False)
    log.append(RdmEpoch(epoch=1, rdms={"rdm-1": {"bits": 2.5}}))
    log.close()
    assert MetricsLog(RdmEpoch, tmp_path, 1, board=False).entries == log.entries
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_all_terms_of_a_step_at_once():
    log = LossLog(["a", "b"], 3, torch.device("cpu"), mend="mend it so")
    log.put(torch.tensor([1.0, 2.0, 3.0], requires_grad=True))
    log.put(torch.tensor([3.0, 4.0, 7.0]))
    assert log.check(1, 0) == 7.0
    assert log.finish() == {"loss": 5.0, "loss_a": 2.0, "loss_b": 3.0}
    log.put(torch.tensor([3.0, float("nan"), 7.0]))
    with pytest.raises(NonFiniteError, match="b nan") as caught:
        log.check(1, 0)
    assert caught.value.mend == "mend it so"

"""Students that are trained without any label: from cached and live targets, of classifiers and of encoders."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from teachonce.engine.metrics import read_metrics
from teachonce.engine.runfile import read_run
from teachonce.errors import DataError
from teachonce.models.students import load_student
from teachonce.stages.embed import embed
from teachonce.stages.evaluate import evaluate
from tests.engine.enginekit import digits, make_store, some
from tests.models import tiny_models as tiny
from tests.stages.trainkit import Heard, quick

PLAIN = {"kd": {"ce_weight": 0}, "clip-teacher-kd": {"ce_weight": 0}, "cifd": {"ce_weight": 0}}


def unlabelled(rows: int = 200) -> Any:
    return some(digits(rows), labels=None, class_names=None)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("unlabelled") / "s.zarr", samples=unlabelled()).path


@pytest.mark.parametrize("method", PLAIN)
def test_without_any_label(store: Path, tmp_path: Path, method: str):
    result = quick(
        tmp_path / "run", data=unlabelled(), store=store, method=method, settings=PLAIN[method], epochs=4, lr=3e-3
    )
    lines = read_metrics(tmp_path / "run")
    assert (result.val_top1, result.val_rows > 0) == (None, True)
    assert "loss_ce" not in lines[0].losses
    assert lines[-1].losses["loss"] < lines[0].losses["loss"]
    assert lines[result.best_epoch - 1].val_loss == min(line.val_loss for line in lines)
    assert read_run(tmp_path / "run").classes == 10  # those of the teacher's logits
    found = evaluate(run=tmp_path / "run", data=digits(200), device="cpu", workers=0)
    assert found.rows == 200


def test_cached_and_live_validate_alike(store: Path, tmp_path: Path):
    lines = []
    for source in ({"store": store}, {"source": "live", "teacher": "vit:patch=8,width=32,layers=1,heads=2"}):
        out = tmp_path / next(iter(source))
        quick(out, data=unlabelled(), method="kd", settings={"ce_weight": 0}, epochs=1, **source)
        lines.append(read_metrics(out)[0])
    assert lines[0].val_loss == pytest.approx(lines[1].val_loss, rel=2e-3)


def test_an_encoder_teaches_an_encoder(tmp_path: Path):
    heard = Heard()
    embed(
        teacher=str(tiny.encoder(tmp_path / "teacher", "vit")), data=unlabelled(), store=tmp_path / "s.zarr",
        device="cpu", workers=0,
    )  # fmt: skip
    quick(
        tmp_path / "run", data=unlabelled(), store=tmp_path / "s.zarr", method="clip-teacher-kd",
        settings={"ce_weight": 0}, epochs=2, events=heard,
    )  # fmt: skip
    assert any("no classes" in info for info in heard.infos)
    assert load_student(tmp_path / "run").classes == 1


@pytest.mark.parametrize(
    ("method", "settings"),
    [("ce", {}), ("kd", {}), ("clip-embed-kd", {"ce_weight": 0}), ("kd+ce", {"kd.ce_weight": 0})],
)
def test_labels_are_asked_for_where_a_term_needs_them(store: Path, tmp_path: Path, method: str, settings: Any):
    with pytest.raises(DataError):
        quick(tmp_path / "run", data=unlabelled(), store=store, method=method, settings=settings)
    assert not (tmp_path / "run").exists()


def test_rows_without_a_label_train_where_none_is_needed(tmp_path: Path):
    labels = digits(200).labels.copy()
    labels[::2] = -1
    half = some(digits(200), labels=labels)
    store = make_store(tmp_path / "s.zarr", samples=half).path
    every = quick(tmp_path / "kd", data=half, store=store, method="kd", settings={"ce_weight": 0}, epochs=1)
    labelled = quick(tmp_path / "both", data=half, store=store, method="kd", epochs=1, batch_size=16)
    assert every.train_rows + every.val_rows == 200
    assert labelled.train_rows + labelled.val_rows == 100
    assert every.val_top1 is not None  # on those that have one
    assert "loss_ce" not in read_metrics(tmp_path / "kd")[0].losses


def test_an_interrupted_run_goes_on_to_the_same_bits(store: Path, tmp_path: Path):
    given: dict[str, Any] = {"data": unlabelled(), "store": store, "method": "cifd", "settings": {"ce_weight": 0}}
    quick(tmp_path / "whole", epochs=3, **given)

    class Stop(Heard):
        def epoch(self, entry: Any) -> None:
            if entry["epoch"] == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quick(tmp_path / "part", epochs=3, events=Stop(), **given)
    quick(tmp_path / "part", epochs=3, **given)
    whole, part = (
        [json.dumps(line.losses) + str(line.val_loss) for line in read_metrics(tmp_path / name)]
        for name in ("whole", "part")
    )
    assert whole == part
    assert np.isfinite(read_metrics(tmp_path / "part")[-1].val_loss)

"""The table at the end of a run."""

from typing import Any

import numpy as np
import pytest

from teachonce.intervals import between, packed, wilson
from teachonce.pipeline.compare import compare
from teachonce.pipeline.seeds import over_seeds
from tests.pipeline.made import training


def trained(method: str, source: str, step_ms: float, memory: int) -> dict[str, Any]:
    return {
        "method": method,
        "source": source,
        "seconds": 3.0,
        "step_ms": step_ms,
        "peak_memory_bytes": None,
        "host_memory_bytes": memory,
        "val_top1": 0.9,
    }


TRAININGS = (
    training("ce", student="cnn-2"),
    training("kd-a", student="cnn-2", method="kd", settings={"kd.temperature": 2}),
    training("kd-b", student="cnn-2", method="kd", settings={"kd.temperature": 4}),
    training("kd-b-live", student="cnn-2", method="kd", source="live", settings={"kd.temperature": 4}),
    training("not-done", student="cnn-2", method="kd", source="live", settings={"kd.temperature": 2}),
)
RESULTS = {
    "train teacher": trained("ce", "cached", 9.0, 700),
    "embed": {"rows": 100},
    "train ce": trained("ce", "cached", 4.0, 400),
    "train kd-a": trained("kd", "cached", 5.0, 500),
    "train kd-b": trained("kd", "cached", 5.0, 500),
    "evaluate kd-b": {"top1": 0.96},
    "train kd-b-live": trained("kd", "live", 20.0, 1000),
    "evaluate kd-b-live": {"top1": 0.95},
}


def test_one_row_a_training_with_its_accuracy():
    rows, _ = compare(TRAININGS, RESULTS)
    assert [(row["name"], row["source"], row["top1"]) for row in rows] == [
        ("teacher", "cached", None),
        ("ce", "cached", None),
        ("kd-a", "cached", None),
        ("kd-b", "cached", 0.96),
        ("kd-b-live", "live", 0.95),
    ]


def test_cached_against_live_where_nothing_else_differs():
    _, ratios = compare(TRAININGS, RESULTS)
    (ratio,) = ratios
    assert ratio["name"] == "kd-b"
    assert ratio["step"] == 0.25
    assert ratio["memory"] == 0.5
    assert round(ratio["top1_difference"], 9) == 0.01


def test_a_difference_has_the_interval_of_its_test_rows():
    rng = np.random.default_rng(2)
    right = {name: rng.random(360) < share for name, share in (("kd-b", 0.93), ("kd-b-live", 0.95))}
    bits = {name: {"top1": each.mean(), "rows": 360, "correct": packed(each.tolist())} for name, each in right.items()}
    rows, (ratio,) = compare(TRAININGS, RESULTS | {f"evaluate {name}": result for name, result in bits.items()})
    expected = between(bits["kd-b"], bits["kd-b-live"])
    assert expected is not None
    assert ratio["top1_interval"] == [expected.low, expected.high]
    assert (ratio["test_rows"], ratio["top1_paired"]) == (360, True)
    (row,) = (row for row in rows if row["name"] == "kd-b")
    assert row["top1_interval"] == list(wilson(right["kd-b"].sum(), 360))
    _, (untold,) = compare(TRAININGS, RESULTS)  # of an earlier version
    assert (untold["top1_interval"], untold["test_rows"]) == (None, None)


def test_trainings_that_differ_only_in_the_seed_become_one_row():
    trainings = [training(f"kd-s{seed}", student="cnn-2", method="kd", seed=seed) for seed in range(3)]
    trainings.append(training("ce-s0", student="cnn-2", seed=0))
    rows = [{"name": f"kd-s{seed}", "top1": top1, "step_ms": 2.0} for seed, top1 in enumerate((0.5, 0.6, 0.7))]
    rows += [{"name": "ce-s0", "top1": 0.4, "step_ms": 2.0}]
    (row,) = over_seeds(trainings, rows)
    assert (row["method"], row["student"], row["seeds"], row["step_ms"]) == ("kd", "cnn-2", 3, 2.0)
    assert row["top1_mean"] == pytest.approx(0.6)
    assert row["top1_sd"] == pytest.approx(0.1)
    assert (row["top1_min"], row["top1_max"]) == (0.5, 0.7)


def test_a_training_without_a_test_accuracy_has_no_part_in_the_spread():
    trainings = [training(f"kd-s{seed}", student="cnn-2", method="kd", seed=seed) for seed in range(2)]
    assert over_seeds(trainings, [{"name": "kd-s0", "top1": 0.5}, {"name": "kd-s1", "top1": None}]) == []

"""The table at the end of a run."""

from typing import Any

from teachonce.pipeline.compare import compare
from teachonce.pipeline.expand import Training
from teachonce.pipeline.schema import TrainTable


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
    Training("ce", TrainTable(student="cnn-2")),
    Training("kd-a", TrainTable(student="cnn-2", method="kd", set={"kd.temperature": 2})),
    Training("kd-b", TrainTable(student="cnn-2", method="kd", set={"kd.temperature": 4})),
    Training("kd-b-live", TrainTable(student="cnn-2", method="kd", source="live", set={"kd.temperature": 4})),
    Training("not-done", TrainTable(student="cnn-2", method="kd", source="live", set={"kd.temperature": 2})),
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

"""Runs and benchmarks made up, with numbers that can be worked out by hand."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from teachonce.cache.store import Store
from teachonce.digests import digest_hex
from teachonce.engine.records import DataContent, Evaluated, EvaluateRunResult, Evaluation
from teachonce.engine.stage_one.runs import runs_path
from teachonce.intervals import packed
from teachonce.records import write
from teachonce.reports.page import Block, Facts, Figure, Page, Section, Table, Text

MACHINE = {"processor": "A Processor", "cores": 2, "memory_bytes": 8_000_000_000, "platform": "Linux", "gpus": []}


def make_run(
    folder: Path,
    *,
    method: str = "kd",
    source: str = "cached",
    seed: int = 0,
    student: str = "cnn-2",
    store: Store | None = None,
    val_top1: float | None = 0.5,
    test_top1: float | None = None,
    test_data: str = "test",
    right: Sequence[bool] = (),
    step_ms: float = 10.0,
    seconds: float = 30.0,
    epochs: int = 10,
    losses: Sequence[float] = (),
    accuracies: Sequence[float] = (),
    terms: Mapping[str, Sequence[float]] | None = None,
    weights: str = "teacher",
    settings: Mapping[str, Any] | None = None,
    **description: Any,
) -> Path:
    """A finished run of a store's teacher, as its files would be."""
    needs = method != "ce"
    is_live = needs and source == "live"
    told: dict[str, Any] = {
        "student": student,
        "method": method,
        "settings": {"temperature": 4.0, "label_smoothing": 0.0} if needs else {"label_smoothing": 0.0},
        "source": source,
        "data": {"rows": 200, "identities": "0" * 32, "labels": "1" * 32},
        "store": None if store is None else {"samples": store.samples_seal["journal"]},
        "teacher": "runs/teacher" if is_live else None,
        "epochs": epochs,
        "batch_size": 32,
        "lr": 1e-3,
        "density_lr": 10.0,
        "seed": seed,
    }
    told |= settings or {}
    run = {
        "format": 1,
        "kind": "teachonce.run",
        "settings": told,
        "student": student,
        "macs": 1000,
        "classes": 4,
        "class_names": None,
        "device": "cpu",
        "view": {"resize": [32, 32], "crop": None},
        "views": 1,
        "rows": {"train": 180, "val": 20, "left_out": 0},
        "targets": "exact" if needs else "none",
        "store": None if store is None else {"path": str(store.path), "target": "teacher", "teacher": "a-teacher"},
        "teacher": {"weights": weights} if is_live else None,
        "data": {"source": "parquet:train.parquet", "rows": 200, "split": "train"},
        "versions": {"python": "3.11.7", "torch": "2.13.0"},
        "machine": MACHINE,
        "command": ["/usr/bin/teachonce", "train", "--data", "a b.parquet"],
        **description,
    }
    result = {
        "method": method,
        "source": source,
        "epochs": epochs,
        "step_ms": step_ms,
        "seconds": seconds,
        "val_top1": val_top1,
        "peak_memory_bytes": None,
        "host_memory_bytes": 500_000_000,
        "run": str(folder),
        "samples_per_s": 1000.0,
        "best_epoch": 1,
        "train_rows": 180,
        "val_rows": 20,
    }
    weights_file = folder / "best" / "model.safetensors"
    weights_file.parent.mkdir(parents=True)
    weights_file.write_bytes(b"weights")
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "result.json").write_text(json.dumps(result))
    if right:
        test_top1 = sum(right) / len(right)
    if test_top1 is not None:
        write_test(folder, test_top1, data=test_data, right=right)
    lines = [
        {"epoch": place, "loss": loss, "val_top1": accuracy, "step_ms": step_ms}
        | {f"loss_{name}": values[place - 1] for name, values in (terms or {}).items()}
        for place, (loss, accuracy) in enumerate(zip(losses, accuracies, strict=True), 1)
    ]
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return folder


def write_test(
    folder: Path,
    top1: float,
    *,
    data: str = "",
    rows: int = 100,
    right: Sequence[bool] = (),
    weights: str | None = None,
) -> None:
    """The evaluation of a run on some rows; `weights`: of others than it has."""
    rows = len(right) or rows
    weights = weights or digest_hex((folder / "best" / "model.safetensors").read_bytes())
    correct = packed(right) if right else None
    result = EvaluateRunResult(
        run="run", top1=top1, top5=1.0, loss=1.0, rows=rows, left_out=0, per_class=(), correct=correct
    )
    of = Evaluated(weights=weights, data=DataContent(rows=rows, identities=data))
    write(folder / "evaluation.json", Evaluation(of=of, result=result))


def note_stage_one(store: Store, seconds: float, *, outcome: str = "sealed", **line: Any) -> None:
    """A line of the run record beside a store."""
    told = {"target": "teacher", "outcome": outcome, "seconds": seconds, **line}
    with runs_path(store.path).open("a") as file:
        file.write(f"{json.dumps(told)}\n")


def arm(step_ms: float, allocated: int, **more: Any) -> dict[str, Any]:
    """An arm of `bench live`."""
    return {
        "step_ms": step_ms,
        "spread": {"low": 0.9 * step_ms, "high": 1.1 * step_ms},
        "samples_per_s": 64e3 / step_ms,
        "epoch_s": step_ms / 10,
        "allocated_bytes": allocated,
        "peak_memory_bytes": 2 * allocated,
        "host_memory_bytes": 10**9,
        "energy_j": None,
        "parts_ms": {"data": 0.1 * step_ms, "teacher": 0.0, "backward": 0.5 * step_ms},
    } | more


def method_result(*, speedup: float = 4.0, memory: float = 2.0, pays: str = "cached", **more: Any) -> dict[str, Any]:
    """A method of a case of `bench live`: 10 ms a step from the cache."""
    return {
        "live_method": "kd",
        "rdm": [],
        "rdm_s": 0.0,
        "arms": {
            "student-only": arm(9.0, 10**8),
            "constant": arm(9.8, 10**8),
            "cached": arm(10.0, 10**8),
            "live": arm(10.0 * speedup, int(memory * 10**8)),
        },
        "speedup": speedup,
        "memory_ratio": memory,
        "peak_memory_ratio": memory,
        "overhead_cache": 1.02,
        "overhead_loss": 1.09,
        "memory_overhead_cache": 1.0,
        "time_ceiling": 4.1,
        "share_of_limit": 0.976,
        "memory_ceiling": 2.1,
        "share_of_memory_limit": 0.952,
        "peak_memory_ceiling": 2.1,
        "share_of_peak_memory_limit": 0.952,
        "live_check": {"ratio": 1.01, "limit": 1.1, "within": True},
        "spread": {"speedup": [0.9 * speedup, 1.1 * speedup]},
        "stage_one_s": 6.0,
        "store_bytes": 10**7,
        "break_even_epochs": 2.0 if pays == "cached" else 300.0,
        "break_even_students": 0.2,
        "pays": pays,
        "verdict": "The verdict of the benchmark.",
    } | more


def case(methods: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """One case of `bench live`."""
    return {
        "case": "l32-32",
        "teacher": "vit:patch=32",
        "student": "vit:patch=4",
        "batch_size": 64,
        "precision": "float32",
        "compile": False,
        "rounds": 7,
        "steps": 5,
        "epochs": 200,
        "methods": dict(methods),
    } | more


def live_json(path: Path, *cases: Mapping[str, Any]) -> Path:
    """A file of `bench live`: of one case, or of several."""
    top = {
        "kind": "teachonce.bench-live",
        "format": 1,
        "preset": "clip-embed-kd",
        "device": "cpu",
        "machine": MACHINE,
        "versions": {"torch": "2.13.0"},
        "command": "teachonce bench live --preset clip-embed-kd",
    }
    path.write_text(json.dumps({**top, **cases[0]} if len(cases) == 1 else {**top, "cases": list(cases)}))
    return path


def section(page: Page, name: str) -> Section:
    """The section of a name."""
    (found,) = (one for one in page.sections if one.name == name)
    return found


def names(page: Page) -> list[str]:
    """Of the sections, in order."""
    return [one.name for one in page.sections]


def tables(blocks: Sequence[Block]) -> list[Table]:
    """The tables, those behind figures too."""
    found = [block.table if isinstance(block, Figure) else block for block in blocks]
    return [block for block in found if isinstance(block, Table)]


def texts(blocks: Sequence[Block]) -> str:
    """All paragraphs."""
    return " ".join(block.text for block in blocks if isinstance(block, Text))


def facts(blocks: Sequence[Block]) -> dict[str, str]:
    """All facts; a label that comes again has its last value."""
    return {name: value for block in blocks if isinstance(block, Facts) for name, value in block.pairs}

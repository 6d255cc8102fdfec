"""The keys of what every command prints with `--json`, and of the files that are kept: their names and JSON types.

All are made by real runs in this process, but for the two kinds of process that take too long: the arms of `bench live`
are made by hand, and the steps and trials of recipes run in this process.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

from teachonce.benchmarks.live import sweep
from tests.benchmarks.livebench import Bench
from tests.cli import made
from tests.golden.commands import called
from tests.pipeline.tunekit import change, in_this_process, write_recipe

KEPT = Path(__file__).parents[1] / "kept" / "format_1"
DATA = ("--data", "parquet:data.parquet", "--device", "cpu", "--workers", 0)
NETWORK = "vit:patch=4,width=16,layers=1,heads=2"
SMALL = ("--image-size", 8, "--batch-size", 32)
FROM_STORE = ("--method", "cifd", "--store", "s.zarr", "--rdm", "rdm-10")
TEACHER = ("--teacher", NETWORK, *DATA)
CPU = ("--device", "cpu", "--batch-size", 32)
LIVE = ("bench", "live", "--device", "cpu", "--preset")
CLIP = (*LIVE, "clip-embed-kd")
_OF_MACHINE = ("versions", "machine")
"""Objects whose keys are names of libraries and devices."""

WORDS: dict[str, tuple[object, ...]] = {
    "embed": ("embed", *TEACHER, "--store", "s.zarr", "--max-failed", 1, "--block-rows", 64, *SMALL),
    "rdm": ("rdm", "--store", "s.zarr", "--distortion-weight", "10,1", "--epochs", 2, *CPU),
    "train": ("train", *DATA, "--student", NETWORK, "--out", "runs/ce", "--epochs", 2, *SMALL),
    "train --store": ("train", *DATA, "--student", NETWORK, "--out", "runs/cifd", "--epochs", 2, *SMALL, *FROM_STORE),
    "evaluate --run": ("evaluate", "--run", "runs/ce", *DATA),
    "evaluate --store": ("evaluate", "--store", "s.zarr", "--data", "parquet:data.parquet", "--device", "cpu"),
    "inspect": ("inspect", "s.zarr"),
    "inspect --failed": ("inspect", "s.zarr", "--failed"),
    "verify": ("verify", "s.zarr"),
    "verify --teacher": ("verify", "s.zarr", *TEACHER, "--sample", 8, *SMALL[:2]),
    "export --format hdf5": ("export", "s.zarr", "--out", "s.h5"),
    "export --format npy": ("export", "s.zarr", "--format", "npy", "--out", "exported"),
    "report": ("report", "runs/ce", "s.zarr", "--out", "report.html"),
    "plot rate-distortion": ("plot", "rate-distortion", "--store", "s.zarr", "--out", "a.png"),
    "plot tsne": ("plot", "tsne", "--store", "s.zarr", "--targets", "teacher", "--rows", 20, "--out", "b.png"),
    "plot cost": ("plot", "cost", "--runs", "runs", "--accuracy", "validation", "--out", "c.png"),
    "estimate": ("estimate", *TEACHER, "--seconds", 0.1, "--teacher-batch", 8, *SMALL[:2]),
}
FILES = ("run.json", "result.json", "metrics.jsonl")


def keys() -> str:
    """One line a key of each command and file: `command: path type`."""
    shutil.copyfile(KEPT / "data.parquet", "data.parquet")
    told = {name: called(*words) for name, words in WORDS.items()}
    told |= _of_recipes() | _of_live_benchmarks()
    for run in ("runs/ce", "runs/cifd"):
        told |= {f"{run}/{name}": _document(Path(run, name)) for name in FILES}
    told["s.zarr.runs.jsonl"] = _document(Path("s.zarr.runs.jsonl"))
    lines = [f"{name}: {line}" for name, value in told.items() for line in sorted(set(_paths(value)))]
    return "\n".join(lines) + "\n"


def _of_recipes() -> dict[str, Any]:
    Path("recipes").mkdir()
    recipe = write_recipe(Path("recipes").absolute())
    made.parquet(recipe.with_name("test.parquet"), made.pictures(seed=1), made.labels())
    change(recipe, "[teacher.train]", 'test = "parquet:test.parquet"\n[teacher.train]')
    own = ("--trust-remote-code",)
    with in_this_process():
        told = {
            "run --dry-run": called("run", recipe, *own, "--dry-run"),
            "run": called("run", recipe, *own),
            "tune --dry-run": called("tune", recipe, *own, "--trials", 2, "--dry-run"),
            "tune": called("tune", recipe, *own, "--trials", 2),
        }
    evaluation = min(recipe.parent.rglob("evaluation*.json"))
    return {**told, "evaluation.json": _document(evaluation), "best.json": _document(Path(told["tune"]["best"]))}


def _of_live_benchmarks() -> dict[str, Any]:
    bench = Bench()
    with patch.object(sweep, "measure_stage_one", bench.stage), patch.object(sweep, "conduct", bench.conduct):
        return {
            "bench live": called(*CLIP),
            "bench live --batch-size 8,64": called(*CLIP, "--batch-size", "8,64"),
            "bench live --preset cifd-imagenet": called(*LIVE, "cifd-imagenet"),
        }


def _document(path: Path) -> Any:
    """A JSON file; of one object a line, all of them."""
    text = path.read_text()
    return [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else json.loads(text)


def _paths(value: Any, name: str = "") -> Iterator[str]:
    """`a.b[].c type` of all that a JSON value contains."""
    if isinstance(value, Mapping) and name.rpartition(".")[2] not in _OF_MACHINE:
        for key, item in value.items():
            yield from _paths(item, f"{name}.{key}".lstrip("."))
    elif isinstance(value, list) and value:
        for item in value:
            yield from _paths(item, f"{name}[]")
    else:
        yield f"{name} {_kind(value)}".lstrip()


def _kind(value: Any) -> str:
    kinds = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    return kinds.get(type(value), "null")

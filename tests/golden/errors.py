"""Bad command lines, at least one for each command and kind of error: what code they end with, and of which kind."""

import fcntl
import json
import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cli import made
from tests.cli.words import TINY
from tests.golden.commands import call, called
from tests.golden.masks import canonical

EMBED = f"embed --data parquet:d.parquet --workers 0 --device cpu --block-rows 64 --batch-size 32 --teacher {TINY}"
TRAIN = f"train --data parquet:d.parquet --workers 0 --device cpu --epochs 1 --batch-size 32 --student {TINY}"
RDM = "rdm --device cpu --epochs 1 --batch-size 32 --store s.zarr"
PREPARED = (f"{EMBED} --store s.zarr", f"{EMBED} --store unsealed.zarr --blocks 0:1", f"{TRAIN} --out run")
LINES = (
    "", "trian", "--no-such", "bench", "bench none", "plot none",
    # embed
    "embed", f"embed --teacher {TINY} --store new.zarr", f"{EMBED} --store new.zarr --no-such 1",
    f"{EMBED} --store new.zarr --per-class no", f"{EMBED} --store new.zarr --dtype int3",
    f"{EMBED} --store new.zarr --batch-size 0", f"{EMBED} --store new.zarr --block-rows 65",
    f"{EMBED} --store new.zarr --blocks 7:9", f"{EMBED} --store new.zarr --augment crop=2",
    f"{EMBED} --store new.zarr --device nowhere", f"{EMBED} --store new.zarr --data none.parquet",
    f"{EMBED} --store new.zarr --split none", f"{EMBED} --store new.zarr --label-column none-such",
    f"{EMBED} --store new.zarr --teacher no-such", f"{EMBED} --store new.zarr --teacher tests.cli.made:broken",
    f"{EMBED} --store new.zarr --teacher tests.cli.made:large", f"{EMBED} --store new.zarr --data folder:cut",
    f"{EMBED} --store s.zarr --dtype float32", f"{EMBED} --store s.zarr --limit 70",
    f"{EMBED} --store unsealed.zarr --batch-size 16", f"{EMBED} --store file", f"{EMBED} --store /sys/new",
    # rdm
    "rdm", f"{RDM}", f"{RDM} --distortion-weight 1,x", f"{RDM} --distortion-weight 1 --preset r18",
    f"{RDM} --distortion-weight -3", f"{RDM} --distortion-weight 5,5.0",
    f"{RDM} --distortion-weight 5 --val-fraction 0",
    f"{RDM} --distortion-weight 5 --target tutor", f"{RDM} --distortion-weight 5 --store none.zarr",
    f"{RDM} --distortion-weight 5 --store unsealed.zarr", f"{RDM} --distortion-weight 5 --lr 1e20",
    # train
    "train", f"{TRAIN} --out new --epochs x", f"{TRAIN} --out new --set kd.t=1", f"{TRAIN} --out new --set t",
    f"{TRAIN} --out new --milestones 1,x", f"{TRAIN} --out new --source none", f"{TRAIN} --out new --method none",
    f"{TRAIN} --out new --method kd", f"{TRAIN} --out new --method kd --set kd.none=1 --store s.zarr",
    f"{TRAIN} --out new --rdm rdm-1 --store s.zarr", f"{TRAIN} --out new --seed -1", f"{TRAIN} --out new --lr -1",
    f"{TRAIN} --out new --teacher {TINY} --method kd --store s.zarr", f"{TRAIN} --out new --student none",
    f"{TRAIN} --out new --method kd --store none.zarr", f"{TRAIN} --out new --method kd --store unsealed.zarr",
    f"{TRAIN} --out new --method kd --store s.zarr --target tutor", f"{TRAIN} --out new --data none.parquet",
    f"{TRAIN} --out new --method kd --store s.zarr --limit 70", f"{TRAIN} --out new --method kd --store corrupt.zarr",
    f"{TRAIN} --out run --lr 0.5", f"{TRAIN} --out file", f"{TRAIN} --out s.zarr", f"{TRAIN} --out new --lr 1e30",
    f"{TRAIN} --out busy", f"{TRAIN} --out /sys/new",
    # evaluate
    "evaluate", "evaluate --data digits", "evaluate --run run", "evaluate --run none --data digits",
    "evaluate --store none.zarr", "evaluate --store unsealed.zarr", "evaluate --run run --data none.parquet",
    "evaluate --store s.zarr --target tutor", "evaluate --run s.zarr --data digits",
    # inspect, verify, export
    "inspect", "inspect none.zarr", "inspect run", "inspect s.zarr --jsn",
    "verify", "verify none.zarr", "verify corrupt.zarr", "verify s.zarr --targets tutor",
    f"verify s.zarr --teacher {TINY}", f"verify s.zarr --data parquet:d.parquet --teacher {TINY} --sample 0",
    "verify s.zarr --data digits", "export s.zarr", "export none.zarr --out new.h5",
    "export unsealed.zarr --out new.h5",
    "export s.zarr --out file", "export s.zarr --out new --format none",
    # recipes, reports
    "run", "run none.toml", "run bad.toml", "run quickstart --set none", "run quickstart --set train.none=1 --dry-run",
    "tune", "tune none.toml", "tune bad.toml", "tune quickstart --trials 0",
    "report", "report none --out new.html", "report s.zarr --out new.txt",
    # estimate, plots and benchmarks
    "estimate", f"estimate --teacher {TINY} --data none.parquet", f"estimate --teacher {TINY} --data digits --epochs 3",
    "estimate --teacher no-such --data digits --limit 8", "plot rate-distortion", "plot tsne --store s.zarr",
    "plot rate-distortion --store none.zarr --out a.png", "plot rate-distortion --store s.zarr --out a.png",
    "plot rate-distortion --store s.zarr --out a.txt", "plot tsne --store s.zarr --targets a,,b --out a.png",
    "plot tsne --store s.zarr --targets tutor --out a.png", "plot cost --runs none --out a.png",
    "plot cost --runs file --out a.png --accuracy none", "bench live", "bench live --preset none",
    "bench live --preset clip-embed-kd --rounds 0", "bench live --preset clip-embed-kd --cases none",
)  # fmt: skip


def prepare() -> None:
    """Data, a store, one that is not sealed, one of which a chunk is cut, and a run, in the current folder."""
    made.parquet(Path("d.parquet"), made.pictures(), made.labels())
    made.folder_of_images(Path("cut"), truncated=(3, 4))
    for line in PREPARED:
        called(*shlex.split(line))
    shutil.copytree("s.zarr", "corrupt.zarr")
    (chunk,) = Path("corrupt.zarr/targets/teacher/logits").glob("c/0/0/0")
    chunk.write_bytes(chunk.read_bytes()[:-2])
    Path("file").write_text("text")
    Path("bad.toml").write_text('[data]\ntrian = "digits"\n[[train]]\nstudent = 3\nepoch = 1\n')


def errors() -> str:
    """Exit code and kind of every bad command line."""
    prepare()
    with _another_process_in(Path("busy")):
        return canonical({f"teachonce {line}".rstrip(): _outcome(line) for line in LINES})


@contextmanager
def _another_process_in(run: Path) -> Iterator[None]:
    run.mkdir()
    folder = os.open(run, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    yield
    os.close(folder)


def _outcome(line: str) -> dict[str, Any]:
    result = call(*shlex.split(line), "--json")
    told = json.loads(result.stdout) if result.stdout else {}
    for path in Path().glob("new*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return {"code": result.exit_code, "kind": told.get("error", {}).get("kind", "none"), "keys": sorted(told)}

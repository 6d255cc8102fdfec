"""`python -m tests.soak`: try every fault many times, by a seed; ends with 1 where one did harm."""

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from tests.soak.faults import FAULTS
from tests.soak.runner import Tally, tally

PACKAGES = ("torch", "numpy", "zarr")


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn")
    parser.add_argument("--only", default="", help=f"faults, with commas between: {','.join(FAULTS)}")
    parser.add_argument("--tries", type=int, default=0, help="of each fault; 0: as many as there should be")
    parser.add_argument("--seconds", type=float, default=0, help="for all faults together; 0: no limit")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes that try")
    parser.add_argument("--part", action="store_true", help="as few tries as in the test suite")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    chosen = parser.parse_args(words)
    chosen.only = [name for name in chosen.only.split(",") if name] or list(FAULTS)
    if unknown := set(chosen.only) - set(FAULTS):
        parser.error(f"no such faults: {', '.join(sorted(unknown))}")
    return chosen


def _progress(end: float) -> Any:
    """Each harm at once; and a line that is written over, on a terminal every try, else every hundredth."""
    every, shown = 1 if sys.stderr.isatty() else 100, 0

    def show(done: Tally) -> None:
        nonlocal shown
        for harm in done.harms[shown:]:
            sys.stderr.write(f"\n{_harm(harm)}\n")
        shown = len(done.harms)
        if done.tries % every and done.tries < done.total:
            return
        left = done.seconds / done.tries * (done.total - done.tries)
        if end < float("inf"):
            left = min(left, max(0.0, end - time.monotonic()))
        text = f"{done.name}: {done.tries:,} of {done.total:,}, {len(done.harms)} harms, {left / 60:.1f} min left"
        sys.stderr.write(f"\r{text:70}" if every == 1 else f"{text}\n")

    return show


def _show(done: Tally) -> None:
    sys.stdout.write(f"\n{done.name}: {done.tries:,} tries in {done.seconds:.0f} s, {len(done.harms)} harms\n")
    for outcome, number in sorted(done.outcomes.items()):
        sys.stdout.write(f"  {number:6,}  {outcome}\n")
    for harm in done.harms[:20]:
        sys.stdout.write(f"  {_harm(harm)}\n")
    sys.stdout.flush()


def _harm(harm: dict[str, str]) -> str:
    return f"HARM {harm['what']}: {harm['outcome']}: {harm['harm']}"


def main(words: list[str] | None = None) -> int:
    """Try, print, write; the exit code."""
    chosen = _arguments(words)
    torch.set_num_threads(1)
    memory = Path("/dev/shm")  # every file is synced, which is slow elsewhere
    fits = memory.is_dir() and shutil.disk_usage(memory).free > 1 << 29
    folder = Path(tempfile.mkdtemp(prefix="teachonce-soak-", dir=memory if fits else None))
    end = time.monotonic() + (chosen.seconds or float("inf"))
    results = {}
    try:
        for place, name in enumerate(chosen.only):
            fault = FAULTS[name]
            left = (end - time.monotonic()) / (len(chosen.only) - place)
            count = chosen.tries or (fault.part if chosen.part else fault.full)
            done = tally(
                name, fault, seed=chosen.seed, count=count, folder=folder, workers=chosen.jobs,
                seconds=left, progress=_progress(end),
            )  # fmt: skip
            _show(done)
            results[name] = done.to_json()
            if chosen.json:
                _write(chosen.json, chosen.seed, results)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return int(any(result["harms"] for result in results.values()))


def _write(path: Path, seed: int, results: dict[str, Any]) -> None:
    """Write what came of the faults; others that the file has of the same seed, machine and versions stay."""
    told = {
        "kind": "teachonce.soak", "seed": seed,
        "machine": {"processors": os.cpu_count(), "architecture": platform.machine()},
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
    }  # fmt: skip
    old = json.loads(path.read_text()) if path.exists() else {}
    kept = old.pop("faults", {})
    kept = kept if old == told else {}
    path.write_text(json.dumps({**told, "faults": kept | results}, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    sys.exit(main())

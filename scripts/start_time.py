"""CPU seconds from start to end of short commands: `import teachonce`, --help, and trainings of one step.

    python scripts/start_time.py --starts 20 --json starts.json
    python scripts/start_time.py --root ../before --python ../before/.venv/bin/python --root . --python .venv/bin/python

The arms, and with several roots the roots, take turns round by round. What is measured is the processor time of a
process and its children that ended (`ru_utime + ru_stime` of `os.wait4`), so that a machine's other load has little
influence. A first start of each arm is not counted: it compiles and reads files.

The trainings are of one step of 16 rows, with one thread, from stores that are made once for each root, by a teacher
cnn-2: of `digits`, and of the same images in a parquet file.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROWS = 16
MACHINE = ("--device", "cpu", "--workers", "0", "--threads", "1")
DIGITS = ("--data", "digits", "--limit", str(ROWS), "--store", "digits.zarr", *MACHINE)
PARQUET = ("--data", "parquet:digits.parquet", "--store", "parquet.zarr", *MACHINE)
STEP = ("train", "--epochs", "1", "--batch-size", str(ROWS), "--val-fraction", "0", "--method", "kd")
CNN = ("--student", "cnn-2", "--image-size", "32")
VIT = ("--student", "vit:patch=8,width=16,layers=1,heads=2", "--image-size", "32")
TEACHONCE = ("-m", "teachonce")
ARMS: Mapping[str, tuple[str, ...]] = {
    "import teachonce": ("-c", "import teachonce"),
    "teachonce --help": (*TEACHONCE, "--help"),
    "teachonce train --help": (*TEACHONCE, "train", "--help"),
    "import torch": ("-c", "import torch"),
    "train cnn": (*TEACHONCE, *STEP, *CNN, *DIGITS),
    "train cnn parquet": (*TEACHONCE, *STEP, *CNN, *PARQUET),
    "train vit": (*TEACHONCE, *STEP, *VIT, *DIGITS),
}
LIMITS = {"import teachonce": 0.1, "teachonce --help": 0.45, "teachonce train --help": 0.6}
"""Seconds."""
RATIOS = {"train cnn": 1.5, "train cnn parquet": 1.5, "train vit": 2.0}
"""Multiples of `import torch`."""
WRITE = f"""
import io, datasets
from PIL import Image
from teachonce.data.digits import load_digits
digits, files = load_digits("all", {ROWS}), []
for image in digits.images:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    files.append({{"bytes": buffer.getvalue(), "path": None}})
label = datasets.ClassLabel(names=list(digits.class_names))
columns = {{"image": files, "label": digits.labels.tolist()}}
features = datasets.Features({{"image": datasets.Image(), "label": label}})
datasets.Dataset.from_dict(columns, features).to_parquet("digits.parquet")
"""


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """One version of the code, and a folder with data and a store that it made."""

    name: str
    root: Path
    python: str
    folder: Path

    def start(self, words: Sequence[str], log: IO[bytes]) -> float:
        """Run Python with these words to its end; the CPU seconds of it and its children.

        Raises:
            RuntimeError: It did not end with 0.
        """
        environment = {**os.environ, "PYTHONPATH": str(self.root), "OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else every start compiles what an installation has compiled
        process = subprocess.Popen(
            [self.python, *words], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{' '.join(words)} ended with {process.returncode}; see {log.name}")
        return used.ru_utime + used.ru_stime


def prepare(checkout: Checkout, log: IO[bytes]) -> None:
    """Write data and the stores."""
    checkout.start(("-c", WRITE), log)
    for data in (DIGITS, PARQUET):
        teacher = ("--teacher", "cnn-2", "--image-size", "32", "--batch-size", str(ROWS))
        checkout.start((*TEACHONCE, "embed", *data, *teacher), log)


def measure(checkouts: Sequence[Checkout], arms: Sequence[str], starts: int) -> dict[str, dict[str, list[float]]]:
    """The CPU seconds of every start, by checkout and arm; one start of each before is not counted."""
    found: dict[str, dict[str, list[float]]] = {one.name: {arm: [] for arm in arms} for one in checkouts}
    with (checkouts[0].folder.parent / "log.txt").open("wb") as log:
        if any(arm.startswith("train ") for arm in arms):
            for checkout in checkouts:
                prepare(checkout, log)
        for number in range(starts + 1):
            for arm in arms:
                for checkout in checkouts:
                    words = ARMS[arm]
                    out = ("--out", f"run-{arm}-{number}") if arm.startswith("train ") else ()
                    seconds = checkout.start((*words, *out), log)
                    if number:
                        found[checkout.name][arm].append(seconds)
    return found


def summary(seconds: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float | None]]:
    """Of each arm: median and least CPU seconds, and the median over that of `import torch`."""
    medians = {arm: statistics.median(values) for arm, values in seconds.items()}
    torch = medians.get("import torch")
    return {
        arm: {
            "median_s": medians[arm],
            "min_s": min(values),
            "of_import_torch": None if torch is None else medians[arm] / torch,
            "limit_s": LIMITS.get(arm),
            "limit_of_import_torch": RATIOS.get(arm),
        }
        for arm, values in seconds.items()
    }


def table(found: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> str:
    """A line for each checkout and arm; the last column is the median over that of the first checkout."""
    base = next(iter(found.values()))
    heads = ("median s", "min s", "of torch", "limit", "of first")
    lines = [f"{'root':24} {'arm':24}" + "".join(f"{head:>10}" for head in heads)]
    for name, arms in found.items():
        for arm, told in arms.items():
            limit = _text(told["limit_s"], " s") or _text(told["limit_of_import_torch"], "x")
            share = (told["median_s"] or 0) / (base[arm]["median_s"] or 1)
            texts = (_text(told["median_s"]), _text(told["min_s"]), _text(told["of_import_torch"]), limit)
            lines.append(f"{name[-24:]:24} {arm:24}" + "".join(f"{text:>10}" for text in (*texts, f"{share:.3f}")))
    return "\n".join(lines)


def _text(value: float | None, unit: str = "") -> str:
    return "" if value is None else f"{value:.3g}{unit}"


def _checkouts(chosen: argparse.Namespace, folder: Path) -> list[Checkout]:
    roots: list[Path] = chosen.root or [Path(__file__).parents[1]]
    pythons: list[str] = chosen.python or [sys.executable]
    pythons = pythons * len(roots) if len(pythons) == 1 else pythons
    made = []
    pythons = [str(Path(python).absolute()) if os.sep in python else python for python in pythons]
    for number, (root, python) in enumerate(zip(roots, pythons, strict=True)):
        place = folder / str(number)
        place.mkdir()
        made.append(Checkout(name=str(root), root=root.resolve(), python=python, folder=place))
    return made


def main(words: Sequence[str] | None = None) -> None:
    """Print the table; with --json keep every start."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=20, help="counted starts of each arm")
    parser.add_argument("--arms", default=",".join(ARMS), help=f"with commas between: {', '.join(ARMS)}")
    parser.add_argument("--root", type=Path, action="append", help="a checkout; may be repeated (default: this one)")
    parser.add_argument("--python", action="append", help="the Python of each root, or one for all (default: this one)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all starts to this file")
    chosen = parser.parse_args(words)
    arms = [arm.strip() for arm in chosen.arms.split(",")]
    if unknown := set(arms) - set(ARMS):
        parser.error(f"no such arms: {', '.join(sorted(unknown))}")
    if chosen.starts < 1 or len(chosen.python or [0]) not in (1, len(chosen.root or [0])):
        parser.error("expected at least one start, and one --python or as many as --root")
    with tempfile.TemporaryDirectory() as folder:
        seconds = measure(_checkouts(chosen, Path(folder)), arms, chosen.starts)
    found = {name: summary(of_arms) for name, of_arms in seconds.items()}
    sys.stdout.write(table(found) + "\n")
    if chosen.json is not None:
        kept = {"starts": chosen.starts, "summary": found, "cpu_seconds": seconds}
        chosen.json.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()

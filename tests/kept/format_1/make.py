"""Makes what lies beside this file: a store, two runs and their data, as teachonce 0.1.0 wrote them in store format 1.

They are kept byte for byte, and every later version reads them (tests/test_kept.py): this script says how they were
made, and is not run again. A later format gets a folder of its own.

    data.parquet            160 scans of digits, 8 x 8 pixels, as PNG; row 70 is cut short
    teacher/                a run without a store: a ViT of one layer
    store.zarr/             target `teacher`: its float16 outputs for two views, in three blocks; target `rdm-10`
    store.zarr.runs.jsonl   the record of both passes
    student/                a run of method cifd from the store

The TensorBoard files of the runs are left out, as the name of the machine is in theirs, and in the store's
record that name is replaced.

Usage: python tests/kept/format_1/make.py FOLDER
"""

import io
import os
import shutil
import socket
import sys
from pathlib import Path

from PIL import Image

ROWS, BROKEN = 160, 70
DATA = ("--data", "data.parquet")
QUICK = ("--device", "cpu", "--threads", "1", "--precision", "float32", "--workers", "0")
NETWORK = "vit:patch=4,width=16,layers=1,heads=2"
TRAIN = ("train", *DATA, "--student", NETWORK, "--image-size", "8", "--lr", "0.01", "--batch-size", "32", *QUICK)
FROM_STORE = ("--method", "cifd", "--store", "store.zarr", "--rdm", "rdm-10")
COMMANDS: dict[str, tuple[str, ...]] = {
    "teacher": (*TRAIN, "--out", "teacher", "--epochs", "40", "--seed", "1"),
    "embed": (
        "embed", "--teacher", "teacher", *DATA, "--store", "store.zarr", "--views", "2", "--augment", "crop=0.5,flip",
        "--block-rows", "64", "--batch-size", "32", "--per-class", "5", "--max-failed", "1", "--seed", "3", *QUICK,
    ),
    "rdm": (
        "rdm", "--store", "store.zarr", "--distortion-weight", "10", "--epochs", "30", "--batch-size", "32",
        "--val-fraction", "0.2", "--device", "cpu", "--threads", "1",
    ),
    "student": (*TRAIN, "--out", "student", "--epochs", "10", *FROM_STORE),
}  # fmt: skip
"""The command lines, run in this order in the folder of the data; a finished one run again is reused."""


def write_data(path: Path) -> None:
    """The parquet file: an image column of encoded bytes, and labels."""
    import datasets

    from teachonce.data.digits import load_digits

    digits = load_digits("all", ROWS)
    files = []
    for row in range(ROWS):
        buffer = io.BytesIO()
        Image.fromarray(digits.images[row]).save(buffer, "PNG")
        data = buffer.getvalue()
        files.append({"bytes": data[: len(data) // 2] if row == BROKEN else data, "path": None})
    features = {"image": datasets.Image(decode=False), "label": datasets.ClassLabel(names=list(digits.class_names))}
    columns = {"image": files, "label": digits.labels.tolist()}
    datasets.Dataset.from_dict(columns, datasets.Features(features)).to_parquet(path)


def main(folder: Path) -> None:
    """Make everything anew in `folder`."""
    from typer.testing import CliRunner

    from teachonce.cli import app

    folder.mkdir(parents=True)
    os.chdir(folder)
    write_data(Path("data.parquet"))
    for words in COMMANDS.values():
        sys.argv = ["teachonce", *words]  # what a run records as its command
        result = CliRunner().invoke(app, list(words), prog_name="teachonce")
        assert result.exit_code == 0, result.output
    for events in Path().glob("*/tensorboard"):
        shutil.rmtree(events)
    passes = Path("store.zarr.runs.jsonl")
    passes.write_text(passes.read_text().replace(f'"host": "{socket.gethostname()}"', '"host": "host"'))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

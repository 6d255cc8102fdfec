"""A command imports what it needs: a training of a CNN nothing of what compiles, distributes or reads other data."""

import io
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image

import teachonce
from teachonce.models import build_student
from teachonce.models.macs import count_macs

ROWS = 8
UNUSED = (
    *("torch._dynamo", "torch._inductor", "torch.distributed.fsdp", "torch.distributed.tensor", "torch.onnx", "sympy"),
    *("sklearn", "transformers", "accelerate", "matplotlib", "h5py", "optuna", "torchvision"),
)
OF_DATASETS = ("datasets", "pandas", "scipy")
"""What `datasets` imports, and what is not needed where the data is built in."""
MACHINE = ("--device", "cpu", "--workers", "0", "--threads", "1", "--batch-size", str(ROWS), "--image-size", "16")
RUN = """
import sys
from teachonce.__main__ import main
try:
    main()
finally:
    with open("modules.json", "w") as file:
        __import__("json").dump(sorted(sys.modules), file)
"""


def imported(folder: Path, words: Sequence[str]) -> set[str]:
    """The modules that a command line has imported by its end."""
    subprocess.run([sys.executable, "-c", RUN, *words], cwd=folder, check=True, capture_output=True)
    return set(json.loads((folder / "modules.json").read_text()))


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images in a parquet file, and a store of them."""
    folder = tmp_path_factory.mktemp("start")
    rng, files = np.random.default_rng(0), []
    for _ in range(ROWS):
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(buffer, "PNG")
        files.append({"bytes": buffer.getvalue(), "path": None})
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    columns = {"image": files, "label": [row % 2 for row in range(ROWS)]}
    datasets.Dataset.from_dict(columns, features).to_parquet(folder / "data.parquet")
    return folder


def test_a_cnn_from_a_store_of_a_parquet_file(parquet: Path):
    data = ("--data", "parquet:data.parquet", "--store", "store.zarr", *MACHINE)
    made = imported(parquet, ("embed", *data, "--teacher", "cnn-2"))
    training = ("--student", "cnn-2", "--method", "kd", "--epochs", "1", "--val-fraction", "0", "--out", "run")
    trained = imported(parquet, ("train", *data, *training))
    evaluated = imported(parquet, ("evaluate", "--run", "run", "--data", "parquet:data.parquet", "--device", "cpu"))
    for modules in (made, trained, evaluated):
        assert "torch" in modules
        assert modules.isdisjoint(UNUSED)


def test_a_cnn_of_built_in_data(tmp_path: Path):
    words = ("--data", "digits", "--limit", str(ROWS), "--student", "cnn-2", "--method", "ce", "--epochs", "1")
    modules = imported(tmp_path, ("train", *words, *MACHINE, "--val-fraction", "0", "--out", "run"))
    assert "torch" in modules
    assert modules.isdisjoint((*UNUSED, *OF_DATASETS))


def test_costs_are_the_same_without_the_compiler():
    import torch._dynamo  # noqa: F401 - networks are counted on the device meta from here on

    names = ("cnn-2", "wrn-40-1", "resnet8x4", "tests.models.student_factories:attentive")
    students = [build_student(name, classes=5, image_size=16) for name in names]
    expected = [count_macs(student, student.input) for student in students]
    count = (
        "import sys; from teachonce.models import build_student; from teachonce.models.macs import count_macs\n"
        f"students = [build_student(name, classes=5, image_size=16) for name in {names!r}]\n"
        "print([count_macs(student, student.input) for student in students], 'torch._dynamo' in sys.modules)"
    )
    root = Path(teachonce.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", count], cwd=root, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == f"{expected} False"

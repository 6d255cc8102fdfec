"""Stores and runs of earlier versions are read for ever: their folders are kept in `tests/kept`, byte for byte."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from typer.testing import CliRunner

from teachonce.cache import Store, open_store
from teachonce.cli import app
from teachonce.data.open import open_samples
from teachonce.digests import digest_bytes, digest_hex
from teachonce.engine.datacheck import check_data
from teachonce.engine.rdm.stored import load_rdm
from teachonce.engine.records import TrainResult
from teachonce.errors import CorruptError
from teachonce.fsio import read_json
from teachonce.models.students import load_student
from teachonce.records import parse
from tests.kept.format_1.make import BROKEN, COMMANDS, FROM_STORE, ROWS, TRAIN

KEPT = Path(__file__).parent / "kept" / "format_1"
MADE = ("data.parquet", "store.zarr", "store.zarr.runs.jsonl", "teacher", "student")
FILES = "de5b6bcebc7f7d3a3eb132df8b346b3e"
ARRAYS = {
    "samples/digest": "dea1d33d47e99f827ec15e0f21d0ac68",
    "samples/label": "f986cba2740d77701c194c98e93bc0c7",
    "samples/status": "fc81bb91222363347eb17320a98030de",
    "views/params": "ca4f218dd703d119bfa740fb1fe200f5",
    "teacher/image_embedding/0": "cd7261738d20b56e2a7a3d11a9c6d83f",
    "teacher/image_embedding/1": "f7abcda1f53d77ec93cb9fe40bf5eb60",
    "teacher/logits/0": "70cef8c43a3a68e047495c41df43a3fc",
    "teacher/logits/1": "8c2c5d951fb82dd88b69e35cbb50aaf3",
    "teacher/head/weight": "c83a8ed42ec21ac1e8a2d04f88f22454",
    "teacher/head/bias": "b44f2644104fd147d17e18495a3b70d7",
    "teacher/mean": "96c07efee7ffa7107a7057575e9629f4",
    "teacher/count": "8cdfae0668f509509a71d905203569ec",
    "rdm-10/image_embedding/0": "c045300312085ba408be310a2682211e",
    "rdm-10/image_embedding/1": "48f8a4d72ba7cef363d29a20d478940e",
    "rdm-10/logits/0": "9043b8836a92f17478f0e36fa9f0b734",
    "rdm-10/logits/1": "a07176f86fb717919ffb83b4cb810aa3",
    "rdm-10/head/weight": "951c7cdfff508932d938b23f5282a674",
    "rdm-10/head/bias": "83dc1f413c9de25670a6005b4bceeb16",
    "rdm-10/mean": "cb078be46c602e5c287dd4a46a22cc5d",
    "rdm-10/count": "8cdfae0668f509509a71d905203569ec",
    "rdm-10/weights": "03eefada5216fbd58c41f189760d1d3c",
}
"""The xxh3-128 of each array's bytes, little-endian, in C order, as the version that wrote them read them."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the kept folder, as the working directory: paths in its records count from there."""
    for name in MADE:
        (shutil.copytree if (KEPT / name).is_dir() else shutil.copyfile)(KEPT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def store(home: Path) -> Store:
    return open_store(home / "store.zarr")


def run(*words: object) -> Any:
    """The JSON that a command prints; it must end well."""
    result = CliRunner().invoke(app, [*map(str, words), "--json"], prog_name="teachonce")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def quick(words: tuple[str, ...]) -> list[str]:
    """A command line without its number of threads, which would be this process's from then on."""
    at = words.index("--threads")
    return [*words[:at], *words[at + 2 :]]


def digest(array: NDArray[Any]) -> str:
    return digest_hex(np.ascontiguousarray(array).view(np.uint8).tobytes())


def arrays_of(store: Store) -> dict[str, str]:
    found = {
        "samples/digest": digest(store.digests()),
        "samples/label": digest(store.labels()),
        "samples/status": digest(store.sample_status()),
        "views/params": digest(store.view_params()),
    }
    for name in store.targets():
        reader = store.target(name)
        for array in ("image_embedding", "logits"):
            found |= {f"{name}/{array}/{view}": digest(reader.all(array, view)) for view in range(store.spec.views)}
        weight, bias = store.head(name)
        mean, count = store.class_means(name)
        parts = {"head/weight": weight, "head/bias": bias, "mean": mean, "count": count}
        found |= {f"{name}/{part}": digest(value) for part, value in parts.items()}
    return found | {"rdm-10/weights": digest_hex(store.weights("rdm-10"))}


def test_kept_byte_for_byte() -> None:
    """A checkout that changes line ends, or an ignored file, would change what the other tests are about."""
    files = sorted(path for name in MADE for path in (KEPT / name, *(KEPT / name).rglob("*")) if path.is_file())
    lines = [f"{path.relative_to(KEPT).as_posix()} {digest_bytes(path.read_bytes())}\n" for path in files]
    assert digest_hex("".join(lines).encode()) == FILES


def test_opened_and_verified(store: Store) -> None:
    assert (store.spec.rows, store.spec.views, store.spec.block_rows, store.blocks) == (ROWS, 2, 64, 3)
    assert store.spec.identity == "encoded"
    assert sorted(store.verify()) == ["rdm-10", "teacher"]
    assert {name: record.failed for name, record in store.targets().items()} == {"teacher": 1, "rdm-10": 1}


def test_every_array(store: Store) -> None:
    assert arrays_of(store) == ARRAYS


@pytest.mark.parametrize("budget", [None, 0], ids=["resident", "mapped"])
def test_rows_are_read(store: Store, budget: int | None) -> None:
    reader = store.target("teacher", budget_bytes=budget)
    rows = np.array([159, 0, BROKEN, 64, 0])
    for array in ("image_embedding", "logits"):
        for view in range(2):
            read = reader.read(array, rows, view)
            assert read.dtype == np.float16
            np.testing.assert_array_equal(read, reader.all(array, view)[rows])
            np.testing.assert_array_equal(np.isnan(read).all(axis=1), rows == BROKEN)
    np.testing.assert_array_equal(np.flatnonzero(store.sample_status() == 2), [BROKEN])


def test_the_data_is_the_store_s(store: Store) -> None:
    samples = open_samples("parquet:data.parquet")
    check_data(store, samples, every=True)
    np.testing.assert_array_equal(samples.labels, store.labels())


def test_the_teacher_and_the_rdm_still_give_what_is_stored(store: Store) -> None:
    embedding = torch.from_numpy(store.target("teacher").all("image_embedding", 1).astype(np.float32))
    with torch.inference_mode():
        outputs = load_rdm(store, "rdm-10").outputs(embedding)
    reader = store.target("rdm-10")
    for array, value in outputs.items():
        np.testing.assert_allclose(value[0].numpy(), reader.all(array, 1).astype(np.float32), rtol=2e-3, atol=2e-3)
    assert set(outputs) == {"image_embedding", "logits"}
    weight, _ = store.head("teacher")
    assert weight.shape == (10, load_student(Path("teacher")).embedding_dim)


def test_inspect(home: Path) -> None:
    told = run("inspect", "store.zarr")
    assert (told["rows"], told["views"], told["format"]) == (ROWS, 2, 1)
    assert {name: target["sealed"] for name, target in told["targets"].items()} == {"teacher": True, "rdm-10": True}


def test_evaluate_store(home: Path) -> None:
    result = run("evaluate", "--store", "store.zarr", "--data", "data.parquet", "--device", "cpu")
    kept = {"knn_top1": 4 / 11, "linear_top1": 5 / 11}
    for name, value in kept.items():  # a share of a few rows, of which one or two may lie between two classes
        assert result[name] == pytest.approx(value, abs=2.5 / result["rows"])


@pytest.mark.parametrize("name", ["teacher", "student"])
def test_evaluate_run(home: Path, name: str) -> None:
    words = ("--data", "digits", "--split", "test", "--device", "cpu", "--workers", 0)
    result = run("evaluate", "--run", name, *words)
    kept = {"teacher": 1.33098, "student": 2.33510}
    assert result["rows"] == 360
    assert result["loss"] == pytest.approx(kept[name], rel=1e-3)


def test_train_from_the_store(home: Path) -> None:
    result = run(*quick(TRAIN), "--out", "new", "--epochs", 1, *FROM_STORE)
    assert (result["epochs"], result["train_rows"], result["val_rows"]) == (1, 148, 11)


@pytest.mark.parametrize("form", ["npy", "hdf5"])
def test_export(home: Path, store: Store, form: str) -> None:
    run("export", "store.zarr", "--format", form, "--out", "exported")
    expected = np.stack([store.target("teacher").all("logits", view) for view in range(2)], axis=1)
    if form == "npy":
        written = np.load("exported/targets/teacher/logits.npy")
    else:
        import h5py

        with h5py.File("exported") as file:
            written = file["targets/teacher/logits"][:]
    np.testing.assert_array_equal(written, expected)


def test_report(home: Path) -> None:
    run("report", "teacher", "student", "store.zarr", "--out", "report.md")
    assert "cifd" in Path("report.md").read_text()


@pytest.mark.parametrize("name", ["teacher", "student"])
def test_a_finished_run_is_reused(home: Path, name: str) -> None:
    assert run(*quick(COMMANDS[name]))["reused"]


@pytest.mark.parametrize("name", ["teacher", "student"])
def test_an_unfinished_run_goes_on(home: Path, name: str) -> None:
    kept = json.loads(Path(name, "result.json").read_text())
    Path(name, "result.json").unlink()
    result = run(*quick(COMMANDS[name]))
    assert not result["reused"]
    assert (result["best_epoch"], result["val_top1"]) == (kept["best_epoch"], kept["val_top1"])


def test_the_passes_are_reused(home: Path, store: Store) -> None:
    assert run(*quick(COMMANDS["embed"]))["reused_blocks"] == store.blocks
    assert all(entry["reused"] for entry in run(*quick(COMMANDS["rdm"]))["rdms"])
    assert arrays_of(store) == ARRAYS


def test_a_result_of_a_format_that_is_not_known_is_refused() -> None:
    document = read_json(KEPT / "student" / "result.json")
    assert parse(TrainResult, document, "it", mend="Do").format == 1  # it had none
    with pytest.raises(CorruptError, match="format"):
        parse(TrainResult, document | {"format": 2}, "it", mend="Do")

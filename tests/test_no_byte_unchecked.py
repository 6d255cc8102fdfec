"""One flipped bit in every kind of file: each reader and command refuses it, or gives what it gives without it."""

import functools
import inspect
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.main import get_command

import teachonce
from teachonce.cache import Store, TargetReader, open_store
from teachonce.cache.describe import describe
from teachonce.cache.export import export
from teachonce.cli import app
from teachonce.data.digits import load_digits
from teachonce.digests import digest_array, digest_hex
from teachonce.engine.failed import list_failed
from teachonce.errors import StoreError
from teachonce.plots.make import plot_rate_distortion, plot_tsne
from teachonce.stages.methods import methods
from tests.drawn import WHOLE

Reader = Callable[[Path, Path], Any]
TeacherReader = Callable[[Any, Path], Any]
ROWS, BLOCK = 150, 64
DATA = {"data": "digits", "limit": ROWS, "split": "train"}
FAST = {"device": "cpu", "workers": 0}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a teacher of 150 digits, two views, and an RDM."""
    path = tmp_path_factory.mktemp("sound") / "s.zarr"
    views = {"views": 2, "augment": "crop=0.5,flip"}
    teachonce.embed(
        teacher="cnn-2", image_size=16, store=path, block_rows=BLOCK, batch_size=32, **views, **DATA, **FAST
    )
    teachonce.rdm(store=path, distortion_weight=50, epochs=1, batch_size=32, device="cpu")
    return path


def bits(value: Any) -> Any:
    """A result that can be compared: arrays as bytes."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, torch.Tensor):
        return bits(value.numpy())
    if isinstance(value, tuple | list):
        return [bits(part) for part in value]
    return value


def trained(store: Path, out: Path, **options: Any) -> dict[str, str]:
    """The digests of the weights of a short training."""
    common = {"epochs": 1, "batch_size": 32, "student": "cnn-2", "image_size": 16, "val_fraction": 0.2}
    teachonce.train(store=store, out=out, **common, **DATA, **FAST, **options)
    return {file.name: digest_hex(file.read_bytes()) for file in sorted((out / "best").glob("*.safetensors"))}


def thrice(store: Path, out: Path) -> list[dict[str, str]]:
    methods: dict[str, dict[str, Any]] = {"kd": {}, "clip-embed-kd": {}, "cifd": {"rdm": "rdm-50"}}
    return [trained(store, out / method, method=method, **more) for method, more in methods.items()]


def read_all(store: Path, out: Path) -> list[Any]:
    """Every row of both arrays and views, mapped and resident."""
    readers = [reader(store, budget) for budget in (0, 1 << 30)]
    return [r.read(array, ALL, view) for r in readers for array in ("image_embedding", "logits") for view in (0, 1)]


def second(store: Path, out: Path) -> float | None:
    made = teachonce.embed(teacher="cnn-4", image_size=16, store=store, name="second", **DATA, **FAST)
    return made.teacher_top1


def further(store: Path, out: Path) -> dict[str, Any]:
    made = teachonce.rdm(store=store, distortion_weight=20, epochs=1, batch_size=32, device="cpu")
    return vars(made.rdms[0])


def told(store: Path, out: Path) -> tuple[str, ...]:
    """A report leaves out what it cannot believe, and says so."""
    made = teachonce.report([store], out=out / "r.md")
    for warning in made.warnings:
        raise StoreError(warning)
    return made.sections


def probes(store: Path, out: Path) -> dict[str, Any]:
    return {**vars(teachonce.evaluate(store=store, device="cpu")), "store": None}


def reader(store: Path, budget: int) -> TargetReader:
    return open_store(store).target("teacher", budget_bytes=budget)


def cached(store: Path) -> teachonce.CachedTeacher:
    return teachonce.CachedTeacher(store, targets=("teacher", "rdm-50"), device="cpu")


def given(uses: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    """What each use gives; those that refuse are left out."""
    found = {}
    for name, use in uses.items():
        with suppress(StoreError):
            found[name] = bits(use())
    return found


def read(store: Path) -> dict[str, Any]:
    """What a store and its readers give."""
    return given({f"{kind.__name__} {name}": partial(use, store, store) for kind, name, use in READERS})


def used(store: Path) -> dict[str, Any]:
    """What a cached teacher gives."""
    try:
        teacher = cached(store)
    except StoreError:
        return {}
    return given({name: partial(use, teacher, store) for name, use in TEACHER.items()})


ALL = np.random.default_rng(0).permutation(ROWS)
IMAGES = load_digits("train", ROWS).images
DIGESTS = [digest_array(image) for image in IMAGES]
STORE: dict[str, Reader] = {
    "labels": lambda s, o: open_store(s).labels(),
    "digests": lambda s, o: open_store(s).digests(),
    "sample_status": lambda s, o: open_store(s).sample_status(),
    "view_params": lambda s, o: open_store(s).view_params(),
    "class_means": lambda s, o: open_store(s).class_means("teacher"),
    "head": lambda s, o: open_store(s).head("teacher"),
    "weights": lambda s, o: open_store(s).weights("rdm-50"),
    "verify": lambda s, o: open_store(s).verify(),
    "targets": lambda s, o: {n: r.fingerprint for n, r in open_store(s).targets().items()},
    "record": lambda s, o: open_store(s).record("teacher").attributes,
    "sealed": lambda s, o: open_store(s).sealed("rdm-50").attributes,
    "target": lambda s, o: open_store(s).target("teacher").spec,
    "chunks": lambda s, o: dict(open_store(s).chunks.digests),
    "samples_seal": lambda s, o: open_store(s).samples_seal,
    "samples_sealed": lambda s, o: open_store(s).samples_sealed,
    "spec": lambda s, o: open_store(s).spec,
}
NO_BYTES = {"path", "blocks", "block_range", "journal"}  # of the store: they read nothing that is used
READER: dict[str, Reader] = {
    "read": read_all,
    "all": lambda s, o: [reader(s, 0).all(a, v) for a in ("image_embedding", "logits") for v in (0, 1)],
    "verify": lambda s, o: reader(s, 0).verify(),
}
READERS = [(kind, *use) for kind, uses in ((Store, STORE), (TargetReader, READER)) for use in uses.items()]
TEACHER: dict[str, TeacherReader] = {
    "__call__": lambda t, s: [list(t(ALL, view).values()) for view in (0, 1)],
    "rows_of": lambda t, s: t.rows_of(digests=DIGESTS),
    "dataset": lambda t, s: [
        list(targets.values()) for _, targets in t.dataset(range(ROWS), digests=DIGESTS[::-1], view=1)
    ],
    "view": lambda t, s: [t.view(IMAGES[row], row, 1) for row in range(0, ROWS, 9)],
    "signals": lambda t, s: str(t.signals),
    "rows": lambda t, s: t.rows,
    "views": lambda t, s: t.views,
    "list_failed": lambda t, s: list_failed(open_store(s)),
}
NO_VALUES = {"open", "check_next", "unchecked_rows", "record", "spec", "tier"}
COMMANDS: dict[str, Reader] = {
    "embed": second, "train": thrice, "rdm": further, "evaluate": probes,
    "methods": lambda s, o: {one.name: one.sample_bytes for one in methods(store=s).methods},
    "inspect": lambda s, o: {**describe(s), "targets": sorted(describe(s)["targets"])},
    "export": lambda s, o: digest_hex(export(s, o / "out.h5").read_bytes()),
    "plot rate-distortion": lambda s, o: plot_rate_distortion(store=s, out=o / "p.png").curves,
    "plot tsne": lambda s, o: plot_tsne(store=s, targets=["teacher", "rdm-50"], out=o / "t.png", rows=40).panels,
    "report": told,
}  # fmt: skip
"""The commands that open a store. `run` and `tune` do it through these, `bench` on stores of its own."""
OTHERS = {
    "verify",  # is tested bit by bit in tests/cache
    "estimate", "run", "tune", "plot cost",
    "bench live",
}  # fmt: skip
FILES = [
    "zarr.json", "samples/zarr.json", "samples/label/zarr.json", "views/zarr.json", "targets/zarr.json",
    "targets/teacher/zarr.json", "targets/teacher/logits/zarr.json", "targets/rdm-50/zarr.json",
    "classes/teacher/mean/zarr.json", "targets/teacher/head/weight/zarr.json",
    "samples/digest/c/1", "samples/label/c/0", "samples/status/c/2", "views/params/c/1/1/0", "views/params/c/0/0/0",
    "targets/teacher/status/c/0", "targets/teacher/image_embedding/c/1/0/0", "targets/teacher/image_embedding/c/0/1/0",
    "targets/teacher/logits/c/2/0/0", "targets/teacher/logits/c/0/1/0", "targets/teacher/head/weight/c/0/0",
    "targets/rdm-50/status/c/1", "targets/rdm-50/image_embedding/c/0/0/0", "targets/rdm-50/logits/c/1/0/0",
    "targets/rdm-50/weights/c/0", "classes/teacher/mean/c/0/0", "classes/teacher/count/c/0",
    "journal/samples/000001.json", "journal/teacher/000000.json", "journal/rdm-50/000002.json",
]  # fmt: skip


def test_every_reader_and_every_command_is_in_the_list():
    public = lambda kind: {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")}  # noqa: E731
    assert public(Store) | {"path", "spec"} == {*STORE, *NO_BYTES}
    assert public(TargetReader) | {"record", "spec", "tier"} == {*READER, *NO_VALUES}
    assert public(teachonce.CachedTeacher) == {*TEACHER} - {"__call__", "list_failed"}
    names = set()
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        names |= {f"{name} {below}" for below in command.commands} if hasattr(command, "commands") else {name}
    assert names == {*COMMANDS, *OTHERS}


@pytest.fixture(scope="module")
def results(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """What a command makes of the sound store, found once."""

    @functools.cache
    def result(command: str) -> Any:
        out = tmp_path_factory.mktemp("expected")
        return bits(COMMANDS[command](Path(shutil.copytree(sound, out / "s.zarr")), out))

    return result


@contextmanager
def flipped(store: Path, name: str, seed: int) -> Iterator[None]:
    """With one bit of a file flipped."""
    whole = (store / name).read_bytes()
    bit = random.Random(f"{name} {seed}").randrange(8 * len(whole))
    data = bytearray(whole)
    data[bit // 8] ^= 1 << bit % 8
    (store / name).write_bytes(data)
    try:
        yield
    finally:
        (store / name).write_bytes(whole)


@pytest.fixture(scope="module")
def copy(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy for readers, in which one file at a time is changed."""
    return Path(shutil.copytree(sound, tmp_path_factory.mktemp("copy") / "s.zarr"))


@pytest.fixture(scope="module")
def readings(sound: Path) -> dict[str, Any]:
    return read(sound)


@pytest.fixture(scope="module")
def uses(sound: Path) -> dict[str, Any]:
    return used(sound)


def test_the_sound_store_refuses_nothing(readings: dict[str, Any], uses: dict[str, Any]):
    assert len(readings) == len(READERS)
    assert uses.keys() == TEACHER.keys()


@pytest.mark.parametrize("name", FILES)
def test_what_a_store_gives(copy: Path, readings: dict[str, Any], name: str):
    for seed in range(3):
        with flipped(copy, name, seed):
            found = read(copy)
        assert found == {what: readings[what] for what in found}, seed
        assert "Store verify" not in found


@pytest.mark.parametrize("name", FILES)
def test_what_a_cached_teacher_gives(copy: Path, uses: dict[str, Any], name: str):
    with flipped(copy, name, seed=3):
        found = used(copy)
    assert found == {what: uses[what] for what in found}


EACH = len(FILES) if WHOLE else 4
"""Files that each command is tried with: others for each, so that together they are all."""
SHUFFLED = random.Random(7).sample(FILES, len(FILES)) * len(COMMANDS)
TRIES = [
    (command, name) for at, command in enumerate(COMMANDS) for name in SHUFFLED[at * EACH : (at + 1) * EACH]
]  # fmt: skip


def test_every_file_is_tried_with_a_command():
    assert {name for _, name in TRIES} == set(FILES)


@pytest.mark.parametrize(("command", "name"), TRIES)
def test_what_a_command_does(sound: Path, tmp_path: Path, results: Callable[[str], Any], name: str, command: str):
    whole = results(command)
    store = Path(shutil.copytree(sound, tmp_path / "s.zarr"))
    with flipped(store, name, seed=7):
        try:
            got, kind = bits(COMMANDS[command](store, tmp_path)), "none"
        except StoreError as error:
            got, kind = whole, error.kind
    assert got == whole
    assert kind in ("none", "store", "corrupt", "mismatch", "unsealed", "missing")

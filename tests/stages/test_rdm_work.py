"""The folder of a training of RDMs beside the store: who holds it, what is left in it, and where it lies."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from teachonce.cache import open_store
from teachonce.engine.rdm import conduct
from teachonce.engine.rdm.fit import Fit
from teachonce.engine.rdm.job import open_job
from teachonce.engine.runfile import owned
from teachonce.engine.stage_one.runs import runs_path
from teachonce.errors import DiskError, MismatchError, NonFiniteError
from teachonce.options.rdm import RdmOptions
from tests.stages.rdmkit import make, memory_folder, quick
from tests.stages.trainkit import Heard


@pytest.fixture
def path() -> Iterator[Path]:
    """A store with rdm-10."""
    with memory_folder() as folder:
        make(folder / "s.zarr")
        quick(folder / "s.zarr", 10)
        yield folder / "s.zarr"


def test_what_another_process_made_meanwhile_is_reused(path: Path, monkeypatch: pytest.MonkeyPatch):
    """It was at the end of the same call when this one looked, and had let go of the folder when this one took it."""
    calls = 0

    @contextmanager
    def after_another(folder: Path, *options: Any) -> Iterator[None]:
        nonlocal calls
        calls += 1
        if calls == 1:
            assert not quick(path, 3.0).rdms[0].reused
            monkeypatch.setattr(Fit, "run", None)
        with owned(folder, *options):
            yield

    monkeypatch.setattr(conduct, "owned", after_another)
    assert quick(path, 3.0).rdms[0].reused
    assert not (path.parent / "s.zarr.work").exists()


def test_a_target_that_was_removed_meanwhile_is_made_again(path: Path, monkeypatch: pytest.MonkeyPatch):
    """The training that was begun is without it: it was there then."""
    step = Fit.step

    def interrupted(self: Fit, batch: Any, view: int, done: int) -> Any:
        if done == 10:  # of the second epoch
            raise KeyboardInterrupt
        return step(self, batch, view, done)

    monkeypatch.setattr(Fit, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        quick(path, 10, 3.0)
    monkeypatch.undo()
    for place in ("targets", "journal", "classes"):
        shutil.rmtree(path / place / "rdm-10")
    assert [entry.reused for entry in quick(path, 10, 3.0).rdms] == [False, False]
    assert open_store(path).verify() == ["rdm-10", "rdm-3", "teacher"]


def test_what_is_left_of_other_settings_is_told(path: Path, monkeypatch: pytest.MonkeyPatch):
    heard, work = Heard(), path.parent / "s.zarr.work"
    with pytest.raises(NonFiniteError):
        quick(path, 3.0, lr=1e18)
    quick(path, 3.0, events=heard)
    assert heard.infos[-1].startswith(f"{work.resolve()} has unfinished trainings of other RDMs")
    assert len(list(work.iterdir())) == 1


def test_a_store_may_be_the_current_folder_or_a_link(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(path)
    assert not quick(Path(), 3.0).rdms[0].reused
    link = path.with_name("link.zarr")
    link.symlink_to(path)
    named = (RdmOptions(store=store, distortion_weight=(2.0,), batch_size=32, device="cpu") for store in (path, link))
    assert len({open_job(config, Heard()).work for config in named}) == 1
    assert runs_path(Path()) == runs_path(link) == path.resolve().with_name("s.zarr.runs.jsonl")


@pytest.mark.parametrize("held", [True, False], ids=["held", "read-only"])
def test_a_folder_that_cannot_be_removed_hinders_no_reuse(path: Path, monkeypatch: pytest.MonkeyPatch, held: bool):
    config = {"distortion_weight": (10.0,), "epochs": 2, "batch_size": 32, "val_fraction": 0.2, "device": "cpu"}
    work = open_job(RdmOptions(store=path, **config), Heard()).work
    work.mkdir(parents=True)  # as a kill after the seal leaves it

    def read_only(place: Path) -> None:
        raise DiskError(f"could not write {place}", "Choose another place")

    if held:
        with owned(work):
            assert quick(path, 10).rdms[0].reused
    else:
        monkeypatch.setattr(conduct, "remove_tree", read_only)
        assert quick(path, 10).rdms[0].reused
        monkeypatch.undo()
    assert work.exists()
    assert quick(path, 10).rdms[0].reused
    assert not work.parent.exists()


def test_after_another_teacher_of_that_name_the_mend_makes_them_anew(path: Path):
    make(path.parent / "other" / "s.zarr", factor=2.0)
    for place in ("targets", "journal", "classes"):
        shutil.rmtree(path / place / "teacher")
        shutil.copytree(path.parent / "other" / "s.zarr" / place / "teacher", path / place / "teacher")
    with pytest.raises(MismatchError) as caught:
        quick(path, 10)
    named = re.findall(r"[a-z]+/rdm-10", caught.value.mend)
    assert len(named) == 3
    for place in named:
        shutil.rmtree(path / place)
    assert not quick(path, 10).rdms[0].reused

"""The tools that the faults are made with: what they see, and that they find what is planted."""

import errno
import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from teachonce.engine.checkpoint import replacing, restore
from teachonce.errors import DiskError
from teachonce.fsio import write_bytes
from tests.forks import forked
from tests.soak.disk import Failing
from tests.soak.files import Operation, Perform, watched
from tests.soak.power import VARIANTS, Disk, image
from tests.soak.runner import tally
from tests.soak.trial import Fault, Trial


def record(root: Path, work: Any) -> list[Operation]:
    log: list[Operation] = []

    def watch(operation: Operation, perform: Perform) -> Any:
        value = perform()
        log.append(operation)
        return value

    with watched(root, watch):
        work()
    return log


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def images(start: Path, log: list[Operation], at: Path, variant: str) -> list[dict[str, bytes]]:
    """What is on the disk after every prefix of the operations, which were made in `start`'s place."""
    disk, found = Disk(start), []
    for number, operation in enumerate(log):
        disk.apply(operation)
        place = at / str(number)
        place.mkdir(parents=True)
        image(disk.top, place, variant, random.Random(number))
        found.append(contents(place))
    return found


def replayed(tmp_path: Path, work: Any, without: str = "") -> dict[str, list[dict[str, bytes]]]:
    """By variant, all images of work in a folder that holds a file; `without`: as if such operations had not been."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "a").write_bytes(b"old")
    log = [operation for operation in record(root, lambda: work(root)) if operation.kind != without]
    (root / "a").write_bytes(b"old")
    return {variant: images(root, log, tmp_path / variant, variant) for variant in VARIANTS}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_file_is_old_or_new_whenever_the_power_fails(tmp_path: Path, variant: str):
    found = replayed(tmp_path, lambda root: write_bytes(root / "a", b"newer"))[variant]
    assert len(found) >= 5
    assert {image["a"] for image in found} <= {b"old", b"newer"}
    assert found[-1] == {"a": b"newer"}


def test_power_loss_shows_a_missing_fsync(tmp_path: Path):
    """The same without any sync: a name whose bytes are not there, and a new content that is lost."""
    found = replayed(tmp_path, lambda root: write_bytes(root / "a", b"newer"), without="fsync")
    assert found["names"][-1]["a"] == b""
    assert found["least"][-1]["a"] == b"old"


def test_what_is_appended_does_not_touch_what_is_durable(tmp_path: Path):
    def append(root: Path) -> None:
        with (root / "a").open("ab", buffering=0) as file:
            file.write(b"+more")

    for variant, found in replayed(tmp_path, append).items():
        assert all(image["a"].startswith(b"old") for image in found), variant


def test_every_way_to_change_a_file_is_seen(tmp_path: Path):
    def work() -> None:
        (tmp_path / "d").mkdir()
        (tmp_path / "d" / "text").write_text("ä")
        with (tmp_path / "d" / "text").open("ab") as file:
            file.write(b"more")
        with open(tmp_path / "d" / "old", "wb") as file:  # noqa: PTH123
            os.fsync(file.fileno())
        descriptor = os.open(tmp_path / "d" / "low", os.O_WRONLY | os.O_CREAT)
        os.write(descriptor, b"x")
        os.close(descriptor)
        (tmp_path / "d" / "low").rename(tmp_path / "d" / "lower")
        (tmp_path / "d" / "lower").unlink()

    log = record(tmp_path, work)
    kinds = [operation.kind for operation in log]
    assert kinds == ["mkdir", "open", "write", "open", "write", "open", "fsync", "open", "write", "rename", "unlink"]
    assert [operation.position for operation in log if operation.kind == "write"] == [0, 2, 0]
    assert record(tmp_path / "elsewhere", lambda: (tmp_path / "d" / "text").write_text("ä")) == []
    assert (tmp_path / "d" / "text").read_text() == "ä"


def test_a_folder_that_is_replaced_on_a_full_disk_stays(tmp_path: Path):
    folder = tmp_path / "last"
    folder.mkdir()
    (folder / "a").write_bytes(b"old")
    for number in range(1, 30):
        try:
            with watched(tmp_path, Failing(number, errno.ENOSPC, lasting=True)), replacing(folder) as temporary:
                (temporary / "a").write_bytes(b"new")
        except DiskError:
            restore(folder)
            assert contents(tmp_path) in ({"last/a": b"old"}, {"last/a": b"new"})  # whose name may not be durable
        else:
            break
    assert contents(tmp_path) == {"last/a": b"new"}
    assert number > 4


def test_how_a_child_ends():
    def dies() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def refuses() -> None:
        raise DiskError("full", "empty it")

    def hangs() -> None:
        signal.pause()

    assert forked(lambda: {"a": 1}).must() == {"a": 1}
    assert forked(dies).status == -signal.SIGKILL
    assert (forked(refuses).kind, forked(refuses).message) == ("disk", "full. empty it")
    assert forked(lambda: 1 // 0).kind == "ZeroDivisionError"
    assert forked(hangs, seconds=0.1).hung
    assert not forked(hangs, kill_after=0.1).hung


@pytest.mark.parametrize("workers", [1, 2])
def test_a_harm_and_a_test_that_fails_are_counted(tmp_path: Path, workers: int):
    def harmless(place: Path) -> Trial:
        (place / "file").touch()
        return Trial("a", "whole")

    def harmful(place: Path) -> Trial:
        return Trial("b", "lost", "a row")

    def broken(place: Path) -> Trial:
        raise ValueError

    fault = Fault(lambda seed, count, sound: [harmless, harmful, broken][:count], full=3, part=1)
    found = tally("made", fault, seed=0, count=3, folder=tmp_path, workers=workers)
    assert (found.tries, found.total) == (3, 3)
    assert dict(found.outcomes) == {"whole": 1, "lost": 1, "the test failed": 1}
    assert len(found.harms) == 2
    assert not list((tmp_path / "made").iterdir())

"""Programs of our own: their results and errors are ours, their events are shown, and none of them stays behind."""

import pickle
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from teachonce import errors
from teachonce.events import Lines, Silent
from teachonce.processes import process as runner
from teachonce.processes.process import Pool, Process, end
from teachonce.processes.template import Template
from tests.processes import targets

DO = "tests.processes.targets:do"
PATIENCE = 30.0  # seconds


@pytest.fixture(scope="module", params=["started", "forked"])
def template(request: pytest.FixtureRequest) -> Iterator[Template | None]:
    """What processes are forked from; None where each is started."""
    if request.param == "started":
        yield None
        return
    with Template(("json", "no.such.module"), {"TEACHONCE_TEST": "told"}) as made:
        yield made


@pytest.fixture(scope="module")
def shared(template: Template | None) -> Iterator[Process]:
    """One that answers what does not end it."""
    environment = None if template else {"TEACHONCE_TEST": "told"}
    with Process(DO, name="it", environment=environment, template=template) as process:
        yield process


def wait_for(there: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < until
        threading.Event().wait(0.01)


def gone(number: int) -> bool:
    """Whether a process ended; of one that is not our child we see that nobody has waited for it."""
    try:
        return psutil.Process(number).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("value", [None, {"a": (1, 2.5)}, Path("x"), b"x" * (3 << 20)], ids=type)
def test_values_come_back(shared: Process, value: object):
    assert shared.ask("echo", value) == value


def test_large_messages_come_whole(shared: Process):
    size = (8 << 20) + 3
    assert (shared.ask("array", size) == targets.array(Silent(), size)).all()
    pixels = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    assert (shared.ask("echo", pixels) == pixels).all()


def test_each_has_what_every_program_of_ours_has(shared: Process):
    told = shared.ask("state")
    assert told["group"]
    assert told["frozen"]
    assert told["variable"] == "told"
    assert told["kept"] == sys.platform.startswith("linux")
    assert [place for place in told["path"] if place] == list(dict.fromkeys(told["path"]))
    assert set(filter(None, sys.path)) <= set(told["path"])


def test_a_class_has_one_instance(template: Template | None):
    with Process("tests.processes.targets:Counter", name="it", template=template) as process:
        assert [process.ask(amount) for amount in (1, 2, 4)] == [1, 3, 7]


def test_progress_is_shown_here(shared: Process):
    lines: list[str] = []
    shared.ask("progress", 500, events=Lines(lines.append))
    assert [re.sub(r", [\d,.]+ \w+/s", "", line) for line in lines] == [
        *("outer: 0/1 rows", "inner: 2/500 steps", "inner: 500/500 steps, loss 499", "outer: 0/1 rows"),
        *("between", "warning: odd", "next: 0/1 rows", "next: 1/1 rows"),
    ]


class Enough(Silent):
    """Has seen enough after some epochs."""

    def __init__(self, after: int) -> None:
        self.after, self.seen = after, list[Any]()

    def epoch(self, entry: Any) -> None:
        self.seen.append(entry["epoch"])
        if len(self.seen) == self.after:
            raise LookupError("enough")


def test_an_exception_after_an_epoch_comes_to_the_process(shared: Process):
    assert shared.ask("epochs", 3) == ["told"] * 3
    events = Enough(2)
    assert shared.ask("epochs", 3, events=events) == ["told", "ended by enough"]
    assert events.seen == [0, 1]


KINDS = {
    **{name: name for name in ("InputError", "MismatchError", "NonFiniteError", "StoreMissingError", "BusyError")},
    "MemoryError": "MemoryFullError",
    "OSError": "DiskError",
    "LookupError": "UnexpectedError",
}


@pytest.mark.parametrize("raised", KINDS)
def test_an_error_comes_as_its_class(shared: Process, raised: str):
    with pytest.raises(errors.TeachonceError) as caught:
        shared.ask("fail", raised)
    assert type(caught.value) is getattr(errors, KINDS[raised])
    assert caught.value.message.startswith("it: ")
    assert caught.value.mend
    unexpected = raised == "LookupError"
    assert ("in fail" in str(caught.value.__cause__)) == unexpected
    assert shared.ask("echo", 1) == 1  # it works on


def test_a_result_that_cannot_be_sent_is_an_error(shared: Process):
    with pytest.raises(errors.UnexpectedError):
        shared.ask("unpicklable")


@pytest.mark.parametrize("target", ["tests.processes.nothing:at_all", "tests.processes.targets:nothing"])
def test_a_target_that_is_nowhere_is_an_error(target: str, template: Template | None):
    with (
        Process(target, name="it", template=template) as process,
        pytest.raises(errors.UnexpectedError, match="nothing"),
    ):
        process.ask()


def test_what_it_prints_is_in_its_log_and_no_result(template: Template | None):
    with tempfile.TemporaryFile() as log:
        with Process(DO, name="it", template=template, log=log) as process:
            assert process.ask("chat", ["{", "}"]) == 2
        log.seek(0)
        assert sorted(log.read().split()) == sorted([b"{", b"}", b"of", b"C"])  # and no warning of a library


@pytest.mark.parametrize(
    ("request_", "how"),
    [
        (("kill", signal.SIGKILL, "careful\nno memory\n\n"), "it: its process ended by signal 9: no memory"),
        (("leave", 3, "no memory"), "it: its process ended with code 3: no memory"),
        (("kill", signal.SIGABRT), "it: its process ended by signal 6"),
    ],
)
def test_one_that_is_lost_is_told_of(request_: tuple[Any, ...], how: str, template: Template | None):
    with tempfile.TemporaryFile() as log, Process(DO, name="it", template=template, log=log, mend="smaller") as process:
        with pytest.raises(errors.ProcessEndedError) as caught:
            process.ask(*request_)
        assert (caught.value.message, caught.value.mend) == (how, "smaller")
        with pytest.raises(errors.ProcessEndedError):
            process.ask("echo", 1)


def test_one_that_somebody_interrupts_interrupts_us_and_ends_without_a_word(tmp_path: Path, template: Template | None):
    """Others may signal it, and its parent then ends it as well."""
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
        with (
            (tmp_path / "log").open("ab") as log,
            Process(DO, name="it", template=template, log=log) as process,
            pytest.raises(KeyboardInterrupt),
        ):
            process.ask("kill", number)
        assert process.wait(0)
    assert not (tmp_path / "log").read_text()


def error_classes(kind: type[errors.TeachonceError]) -> list[type[errors.TeachonceError]]:
    return [kind, *(each for child in kind.__subclasses__() for each in error_classes(child))]


@pytest.mark.parametrize("kind", error_classes(errors.TeachonceError))
def test_every_error_survives_pickling(kind: type[errors.TeachonceError]):
    made = kind.__new__(kind, "expected a, got b", "give a")
    errors.TeachonceError.__init__(made, "expected a, got b", "give a")
    made.result = {"measured": 1}
    again = pickle.loads(pickle.dumps(made))  # noqa: S301 - our own
    assert (type(again), again.message, again.mend) == (kind, "expected a, got b", "give a")
    assert (again.result, str(again)) == ({"measured": 1}, str(made))


def test_an_error_that_holds_a_result_comes_with_it():
    cut = errors.CutShortError(errors.DiskError("full", "make room"), {"measured": 1})
    again = pickle.loads(pickle.dumps(cut))  # noqa: S301 - our own
    assert (type(again), again.message, again.mend, again.result) == (type(cut), "full", "make room", {"measured": 1})


@contextmanager
def hanging(folder: Path, template: Template | None, *how: bool) -> Iterator[tuple[Process, list[int]]]:
    """One that does not answer, and the numbers of its processes; whoever asks it hears that it was ended."""
    with Process(DO, name="it", template=template) as process, ThreadPoolExecutor(1) as asking:
        asked = asking.submit(process.ask, "hang", folder / "told", *how)
        wait_for(lambda: (folder / "told.pid").exists() and len((folder / "told.pid").read_text().split()) == 2)
        yield process, [int(number) for number in (folder / "told.pid").read_text().split()]
        end([process])
        assert isinstance(asked.exception(PATIENCE), KeyboardInterrupt)
        assert process.wait(0)


def test_sigterm_is_an_interrupt(tmp_path: Path, template: Template | None):
    with hanging(tmp_path, template, False):
        pass
    assert (tmp_path / "told").read_text() == "interrupted"


def test_the_deaf_are_killed_with_their_helpers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: Template | None
):
    monkeypatch.setattr(runner, "PATIENCE", (0.2, PATIENCE))
    with hanging(tmp_path, template, True, True) as (process, (own, helper)):
        assert process.pid == own
    wait_for(lambda: gone(helper))


PARENT = """
import os, sys, threading
from teachonce.events import Silent
from teachonce.processes.process import Process
from teachonce.processes.template import Template
from tests.processes.test_process import DO

class Said(Silent):
    def info(self, text):
        os.write(1, b"%d %d\\n" % (process.pid, os.getpgid(process.pid)))

template = {template}
process = Process(DO, name="it", template=template)
process.ask("stuck", events=Said())
"""


@pytest.mark.parametrize("made", ["None", "Template(())"])
def test_it_ends_with_its_parent_whatever_it_is_at(made: str):
    root, program = Path(__file__).parents[2], PARENT.replace("{template}", made)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=root) as parent:
        assert parent.stdout is not None
        number, group = map(int, parent.stdout.readline().split())
        others = psutil.Process(parent.pid).children(recursive=True)
        assert number == group
        assert number in [other.pid for other in others]
        parent.kill()
    wait_for(lambda: all(gone(other.pid) for other in others))


def test_a_pool_ends_all_and_starts_no_other(tmp_path: Path, template: Template | None):
    pool = Pool(template)
    places = [tmp_path / str(number) for number in range(2)]
    with ThreadPoolExecutor(3) as threads:
        with pytest.raises(ZeroDivisionError), pool:  # noqa: PT012
            asked = [threads.submit(pool.run, DO, "hang", place, False, name=place.name) for place in places]
            wait_for(lambda: all(place.with_suffix(".pid").exists() for place in places))
            raise ZeroDivisionError
        assert [place.read_text() for place in places] == ["interrupted"] * 2
        asked.append(threads.submit(pool.run, DO, "echo", 1, name="late"))
        assert {type(future.exception(PATIENCE)) for future in asked} == {KeyboardInterrupt}


def test_a_pool_gives_results(template: Template | None):
    with Pool(template) as pool, ThreadPoolExecutor(2) as threads:
        assert list(threads.map(lambda value: pool.run(DO, "echo", value, name="it"), [1, 2])) == [1, 2]

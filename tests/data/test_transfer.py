"""Copies to a GPU that run beside what it computes: in which order they are submitted, and the same values."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from imagekit import noise

from teachonce.data.resident import ImageSource, open_images
from teachonce.data.samples import ArraySamples
from teachonce.data.transfer import Transfer
from teachonce.data.views import Augment, draw_views
from teachonce.types import InputSpec

GPU, CPU = torch.device("cuda:1"), torch.device("cpu")
STUDENT, TEACHER = InputSpec(height=16, width=16), InputSpec(height=24, width=20, mean=(0.1, 0.2, 0.3))
ALIKE, MIXED = [(20, 20)] * 30, [(12 + row % 9, 30 - row % 11) for row in range(30)]


class Pretended(torch.Tensor):
    """A tensor that goes to a GPU where there is none, and says so."""

    log: list[str]

    def to(self, *_: Any, **options: Any) -> "Pretended":
        self.log.append(f"copy, asynchronous: {options.get('non_blocking', False)}")
        return self

    def record_stream(self, stream: Any) -> None:
        self.log.append(f"used by {stream.name}")


class Stream:
    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self._log = name, log

    def record_event(self) -> str:
        self._log.append(f"{self.name} records")
        return f"event of {self.name}"

    def wait_event(self, event: str) -> None:
        self._log.append(f"{self.name} waits for {event}")


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is submitted to a GPU that is not there, in order."""
    found: list[str] = []

    @contextmanager
    def on(stream: Stream) -> Iterator[None]:
        found.append(f"now on {stream.name}")
        yield
        found.append("back")

    monkeypatch.setattr(torch.cuda, "Stream", lambda device: Stream(f"side of {device}", found))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream(f"current of {device}", found))
    monkeypatch.setattr(torch.cuda, "stream", on)
    return found


def pretended(log: list[str]) -> Pretended:
    made = torch.zeros(3).as_subclass(Pretended)
    made.log = log
    return made


def test_a_copy_is_beside_what_came_before_and_before_what_comes_after(log: list[str]):
    transfer, given = Transfer(GPU), pretended(log)
    assert transfer.bring(given) is given
    beside = ["now on side of cuda:1", "copy, asynchronous: True", "back", "side of cuda:1 records"]
    received = ["current of cuda:1 waits for event of side of cuda:1", "used by current of cuda:1"]
    assert log == beside + received
    sent = transfer.send(lambda: given.to(GPU, non_blocking=True))
    assert log[6:] == beside  # nobody waits until it is received
    transfer.receive(sent, given)
    assert log[10:] == received


def test_threads_that_begin_at_once_each_record_the_stream_that_they_used(
    log: list[str], monkeypatch: pytest.MonkeyPatch
):
    made: list[str] = []
    second, entered, done = threading.Event(), threading.Event(), threading.Event()
    used = threading.local()

    def create(_: torch.device) -> Stream:
        made.append(f"stream {len(made)}")
        if len(made) == 1:
            second.wait(10)
        else:
            second.set()
            entered.wait(10)  # the first works on its own stream by now
        return Stream(made[-1] if threading.current_thread().name == "two" else made[0], log)

    @contextmanager
    def on(stream: Stream) -> Iterator[None]:
        used.name = stream.name
        entered.set()
        yield

    monkeypatch.setattr(torch.cuda, "Stream", create)
    monkeypatch.setattr(torch.cuda, "stream", on)
    transfer, found = Transfer(GPU), {}

    def make() -> str:
        if threading.current_thread().name == "two":
            done.set()
        else:
            done.wait(10)
        return used.name

    def send() -> None:
        sent = transfer.send(make)
        found[threading.current_thread().name] = sent.event == f"event of {sent.value}"

    one, two = (threading.Thread(target=send, name=name) for name in ("one", "two"))
    one.start()
    while not made:
        pass
    two.start()
    one.join(30)
    two.join(30)
    assert found == {"one": True, "two": True}


def test_a_cpu_has_no_streams(log: list[str]):
    given, transfer = torch.arange(3), Transfer(CPU)
    assert transfer.bring(given) is given
    sent = transfer.send(lambda: given)
    assert sent.event is None
    assert transfer.receive(sent, given) is given
    assert log == []


def sources(sizes: list[tuple[int, int]]) -> tuple[ImageSource, ImageSource]:
    """In memory, as for a CPU, and as where the device is another one: a thread sends what is asked for."""
    samples = ArraySamples([noise(*size, row) for row, size in enumerate(sizes)])
    plain, sending = open_images(samples, device="cpu"), open_images(samples, device="cpu")
    sending._sends = True
    return plain, sending


@pytest.mark.parametrize("sizes", [ALIKE, MIXED], ids=["alike", "mixed"])
def test_what_a_thread_sends_is_what_is_asked_for(sizes: list[tuple[int, int]]):
    plain, sending = sources(sizes)
    assert (plain.ahead, sending.ahead) == (0, 3)
    random, rows = np.random.default_rng(4), np.arange(30)
    batches = [random.integers(0, 30, random.integers(1, 9)) for _ in range(20)]
    views = draw_views(plain.sizes, augment=Augment(crop=0.3, flip=True), views=1, seed=3, rows=rows)[:, 0]
    asked: list[tuple[str, int]] = []
    drawn = threading.local()
    drawn.here = True

    def params_for(rows: np.ndarray) -> np.ndarray:
        assert getattr(drawn, "here", False)  # what is drawn at random is drawn by the thread that trains
        asked.append(("views", len(rows)))
        return views[rows]

    heard: list[str] = []
    sending.probe = heard.append
    expected = list(plain.stream(batches, params_for, STUDENT, TEACHER))
    first, asked = asked, []
    got = list(sending.stream(batches, params_for, STUDENT, TEACHER))
    assert asked == first
    assert heard == ["data", "transfer"] * 20
    for (their_rows, theirs), (our_rows, ours) in zip(expected, got, strict=True):
        assert (their_rows == our_rows).all()
        assert all(torch.equal(a, b) for a, b in zip(theirs, ours, strict=True))


def test_a_sender_is_never_far_ahead_and_stops(monkeypatch: pytest.MonkeyPatch):
    _, sending = sources(ALIKE)
    begun: list[int] = []
    whole = np.array([[0, 0, 1, 1, 0, 0]], np.float32)

    def params_for(rows: np.ndarray) -> np.ndarray:
        begun.append(int(rows[0]))
        return whole

    stream = sending.stream((np.array([row]) for row in range(30)), params_for, STUDENT)
    for taken in range(3):
        next(stream)
        assert begun == list(range(taken + 3))
    before = threading.active_count()
    stream.close()
    assert threading.active_count() == before - 1


def test_an_error_of_the_sender_is_raised_where_its_batch_is_taken(monkeypatch: pytest.MonkeyPatch):
    _, sending = sources(ALIKE)
    params = np.zeros((1, 6), np.float32)
    params[:, 2:4] = 1
    stream = sending.stream([np.array([1]), np.array([99])], lambda _: params, STUDENT)
    next(stream)
    with pytest.raises(IndexError):
        next(stream)

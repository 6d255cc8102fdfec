"""The parts of stage one by themselves: threads, batch sizes, cutting, and scores."""

import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from teachonce.data.packed import Packed
from teachonce.engine.background import Ahead, Behind
from teachonce.engine.stage_one.batches import best_doubling, find_batch_size, measure
from teachonce.engine.stage_one.contents import fingerprint_difference
from teachonce.engine.stage_one.forward import Forward, Images
from teachonce.engine.stage_one.options import parse_blocks
from teachonce.engine.stage_one.score import is_near_chance
from teachonce.errors import InputError, ModelError
from teachonce.models import Signals, Teacher
from teachonce.types import InputSpec
from tests.stages.embedding import Wrapped, teacher


def test_ahead_keeps_the_order_and_its_bound():
    taken: list[int] = []
    room = threading.Semaphore(0)

    def source() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            room.release()
            yield number

    with Ahead(source(), depth=3) as ahead:
        for _ in range(4):  # three that wait, and one in hand
            assert room.acquire(timeout=10)
        assert taken == [0, 1, 2, 3]
        assert list(ahead) == list(range(20))


def test_ahead_raises_after_what_came_before():
    def source() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    with Ahead(source(), depth=3) as ahead:
        items = iter(ahead)
        assert next(items) == 1
        with pytest.raises(ValueError, match="broken"):
            next(items)


def test_ahead_closes_its_source():
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    with Ahead(source(), depth=1) as ahead:
        assert next(iter(ahead)) == 1
    assert closed.is_set()


def test_behind_does_everything_in_order():
    done: list[int] = []
    with Behind(done.append, depth=1) as behind:
        for number in range(50):
            behind.submit(number)
    assert done == list(range(50))


def test_behind_raises_promptly_and_does_no_more():
    done: list[int] = []
    failed = threading.Event()

    def work(number: int) -> None:
        if number == 2:
            failed.set()
            raise ValueError("broken")
        done.append(number)

    with pytest.raises(ValueError, match="broken"), Behind(work, depth=1) as behind:  # noqa: PT012
        for number in range(100):
            behind.submit(number)
            if number == 2:
                assert failed.wait(10)
    assert done == [0, 1]


def test_behind_finishes_what_it_has_where_the_body_fails():
    done: list[int] = []
    with pytest.raises(KeyError), Behind(done.append, depth=5) as behind:  # noqa: PT012
        behind.submit(1)
        behind.submit(2)
        raise KeyError
    assert done == [1, 2]


@pytest.mark.parametrize(
    ("rates", "most", "expected"),
    [
        ({16: 100, 32: 150, 64: 200, 128: 205}, 4096, 64),  # flat from 64
        ({16: 100, 32: 150}, 32, 32),  # the block ends
        ({16: 100, 32: 150, 64: None}, 4096, 32),  # out of memory
        ({16: None, 8: None, 4: 10, 2: 9}, 4096, 4),  # hardly any memory
        ({16: None, 8: None, 4: None, 2: None, 1: None}, 4096, None),
        ({5: 50}, 5, 5),
    ],
)
def test_doubling(rates: dict[int, float | None], most: int, expected: int | None):
    assert best_doubling(rates.__getitem__, most=most) == expected


@pytest.mark.parametrize(("side", "most", "expected"), [(224, 2048, 32), (32, 2048, 256), (32, 64, 64), (1024, 64, 8)])
def test_the_batch_of_a_cpu_is_a_rule(side: int, most: int, expected: int):
    forward = Forward(teacher(), device=torch.device("cpu"), dtype="float16", compute_dtype="float32")
    spec = InputSpec(height=side, width=side)
    assert find_batch_size(forward, spec, device=torch.device("cpu"), most=most) == expected


def test_a_batch_size_is_measured_with_all_it_takes():
    forward = Forward(teacher(), device=torch.device("cpu"), dtype="float16", compute_dtype="float32")
    rate = measure(forward, InputSpec(height=16, width=16), torch.device("cpu"), 4)
    assert rate is not None
    assert rate > 0


FULL = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 1 GiB"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED. This error may appear if you passed a non-contiguous input"),
    RuntimeError("FIND was unable to find an engine to execute this computation"),
    torch.AcceleratorError("CUDA error: out of memory"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to ..."),
]
"""What torch raises where memory does not suffice, by which library noticed it."""


def full(error: BaseException, most: int, held: list[Any]) -> Teacher:
    """A teacher that finds memory for so many images, and what a batch held that found none."""

    def change(pixels: torch.Tensor, signal: Signals) -> Signals:
        if len(pixels) > most:
            activations = pixels.clone()
            held.append(weakref.ref(activations))
            raise type(error)(*error.args)
        return signal

    return Wrapped(teacher(), change)


@pytest.mark.parametrize(
    ("error", "most", "found"),
    [*((error, 20, 16) for error in FULL), *((FULL[0], most, found) for most, found in ((1, 1), (5, 4), (40, 32)))],
    ids=lambda value: str(value)[:32],
)
def test_a_batch_size_is_found_however_memory_runs_out(error: BaseException, most: int, found: int):
    held: list[Any] = []
    made = full(error, most, held)
    forward = Forward(made, device=torch.device("cpu"), dtype="float16", compute_dtype="float32")

    def rate(size: int) -> float | None:
        measured = measure(forward, made.info.input, torch.device("cpu"), size)
        assert (measured is None) == (size > most)
        assert not any(thing() is not None for thing in held)  # what the failed batch had is free for the next
        return None if measured is None else size  # each doubling pays

    assert best_doubling(rate, most=64) == found
    assert held


def test_another_error_of_a_teacher_is_not_taken_for_a_full_memory():
    made = full(RuntimeError("mat1 and mat2 shapes cannot be multiplied (4x3 and 5x6)"), 2, [])
    forward = Forward(made, device=torch.device("cpu"), dtype="float16", compute_dtype="float32")
    with pytest.raises(RuntimeError, match="shapes"):
        measure(forward, made.info.input, torch.device("cpu"), 4)


def test_too_little_memory(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr("teachonce.data.packed.render_bytes", fail)
    forward = Forward(teacher(), device=torch.device("cpu"), dtype="float16", compute_dtype="float32")
    spec = InputSpec(height=16, width=16)
    assert measure(forward, spec, torch.device("cpu"), 4) is None
    with pytest.raises(ModelError, match="batches of 2 images") as error:
        forward(Images(packed=Packed.of([np.zeros((8, 8, 3), np.uint8)] * 2), params=np.zeros((2, 1, 6), np.float32)))
    assert "--batch-size" in error.value.mend


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, range(9)),
        ("2:4", range(2, 4)),
        (":4", range(4)),
        ("4:", range(4, 9)),
        ("2-4", range(2, 5)),
        ("3", range(3, 4)),
    ],
)
def test_blocks(text: str | None, expected: range):
    assert parse_blocks(text, 9) == expected


@pytest.mark.parametrize("text", ["", "4:4", "5:2", "0:10", "9", "-1", "a:b", "1,2"])
def test_no_blocks(text: str):
    with pytest.raises(InputError, match="blocks"):
        parse_blocks(text, 9)


def test_chance():
    assert is_near_chance(0.1, 1000, 10)
    assert is_near_chance(0.118, 1000, 10)
    assert not is_near_chance(0.12, 1000, 10)
    assert is_near_chance(0.01, 1000, 10)


def test_the_weights_are_named_before_what_follows_from_them():
    stored = {"teacher": {"config": "a", "weights": "b", "view": 1}, "dtype": "float16"}
    assert fingerprint_difference(stored, stored) is None
    other = {"teacher": {"config": "c", "weights": "d", "view": 1}, "dtype": "float16"}
    assert fingerprint_difference(stored, other) == ("teacher weights", "b", "d")
    assert fingerprint_difference(stored, {**stored, "more": 1}) == ("more", None, 1)

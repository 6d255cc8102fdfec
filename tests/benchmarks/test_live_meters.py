"""The meters of the live benchmark, proven: a known time is found in its own part and no other, known bytes exactly."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from teachonce.benchmarks.live import memory
from teachonce.benchmarks.live import work as working
from teachonce.benchmarks.live.energy import EnergyMeter
from teachonce.benchmarks.live.meters import PARTS, part_times, timed_ms
from teachonce.benchmarks.live.work import Work
from teachonce.data import resident
from teachonce.data.packed import Packed
from teachonce.engine import parts, step
from teachonce.engine.cached_target import CachedTarget
from teachonce.engine.probe import probed
from teachonce.types import InputSpec
from tests.benchmarks import livekit
from tests.benchmarks.livekit import BATCH, BRIEF, CLASSES, HELD, PAUSE_MS, ROWS, make_store, pause, spec

CPU = torch.device("cpu")
MIB = 1 << 20


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("meters") / "s.zarr")


@pytest.fixture
def work(store: Path) -> Work:
    made = Work(spec("cached", store))
    made.ready(warm_up=1)
    return made


def paused_data(work: Work, patch: pytest.MonkeyPatch) -> None:
    draw = Packed.draw
    patch.setattr(Packed, "draw", lambda *given: (pause(), draw(*given))[1])


def paused_loss(work: Work, patch: pytest.MonkeyPatch) -> None:
    total = step.total
    patch.setattr(step, "total", lambda *given: (pause(), total(*given))[1])


def paused_forward(work: Work, patch: pytest.MonkeyPatch) -> None:
    student = work.session.stepper.student
    outputs = student.outputs
    patch.setattr(student, "outputs", lambda *given: (pause(), outputs(*given))[1])


def paused_backward(work: Work, patch: pytest.MonkeyPatch) -> None:
    next(work.session.stepper.student.parameters()).register_hook(lambda _: pause())


def paused_optimiser(work: Work, patch: pytest.MonkeyPatch) -> None:
    work.session.stepper.optimizer.register_step_pre_hook(lambda *_: pause())


def paused_targets(work: Work, patch: pytest.MonkeyPatch) -> None:
    livekit.slow(work)


@pytest.mark.parametrize(
    ("kind", "part", "paused"),
    [
        ("cached", "data", paused_data),
        ("cached", "transfer", paused_targets),
        ("live", "teacher", paused_targets),
        ("cached", "student_forward", paused_forward),
        ("cached", "loss", paused_loss),
        ("cached", "backward", paused_backward),
        ("cached", "optimiser", paused_optimiser),
    ],
)
def test_a_known_sleep_is_found_in_its_part(
    store: Path, monkeypatch: pytest.MonkeyPatch, kind: str, part: str, paused: Callable[..., None]
):
    work = Work(spec(kind, store))
    work.ready(warm_up=1)
    paused(work, monkeypatch)
    rounds = [work.parts(1, lead=1) for _ in range(3)]
    least = {name: min(found[name] for found in rounds) for name in PARTS}  # a busy machine only adds
    assert PAUSE_MS <= least[part] < 1.5 * PAUSE_MS
    assert all(ms < 0.75 * PAUSE_MS for name, ms in least.items() if name != part)


def test_a_known_sleep_is_found_in_the_step(work: Work):
    before = min(work.run(1, lead=1) for _ in range(3))
    livekit.slow(work)
    after = min(work.run(1, lead=1) for _ in range(3))
    assert after >= PAUSE_MS
    assert 0.75 * PAUSE_MS < after - before < 1.5 * PAUSE_MS


@pytest.mark.parametrize("reading", ["targets", "images"])
def test_what_is_read_ahead_is_read_in_its_own_time(store: Path, monkeypatch: pytest.MonkeyPatch, reading: str):
    """A turn comes after the others' turns, in which all that may wait could have been read for nothing."""
    if reading == "targets":
        read = CachedTarget.read
        monkeypatch.setattr(parts, "device_budget", lambda _: 0)
        monkeypatch.setattr(CachedTarget, "read", lambda *given: (pause(), read(*given))[1])
    else:
        draw = resident.ImageSource._draw
        monkeypatch.setattr(resident, "host_budget", lambda: 0)
        monkeypatch.setattr(resident.ImageSource, "_draw", lambda *given: (pause(), draw(*given))[1])
    work = Work(spec("cached", store, workers=1, batch_size=4))
    work.ready(warm_up=2)
    for _ in range(8):  # the others' turns
        pause()
    least = 0.6 * PAUSE_MS  # of three steps, all but one that was begun before
    assert work.run(3, lead=1) > least
    names = {thread.name.partition("_")[0] for thread in threading.enumerate()}
    assert not names & {"teachonce-ahead", "teachonce-decode"}
    assert sum(work.parts(3, lead=1).values()) > least


@pytest.mark.parametrize("batch_size", [24, 48])
def test_short_epochs_are_read_as_a_long_one_is(store: Path, monkeypatch: pytest.MonkeyPatch, batch_size: int):
    """Of 4 or 2 steps: fewer than a turn has, with those before it."""
    reads, within, read, timed = [], [], CachedTarget.read, working.timed_ms

    def counted(*given: Any) -> float:
        before, ms = len(reads), timed(*given)
        within.append(len(reads) - before)
        return ms

    monkeypatch.setattr(parts, "device_budget", lambda _: 0)
    monkeypatch.setattr(CachedTarget, "read", lambda *given: (reads.append(given), read(*given))[1])
    monkeypatch.setattr(working, "timed_ms", counted)
    work = Work(spec("cached", store, batch_size=batch_size))
    work.ready(warm_up=1)
    work.session.stepper.student.register_forward_pre_hook(lambda *_: pause())  # slower than what it reads
    for _ in range(3):
        work.run(2, lead=1)
    assert within == [2, 2, 2]


def test_the_parts_are_the_step(work: Work):
    found: dict[str, float] = {}
    whole = timed_ms(lambda: found.update(part_times(work.session, lambda: work.steps.run(8), live=False)), CPU)
    assert list(found) == list(PARTS)
    assert found["teacher"] == 0
    assert 0.9 * whole < sum(found.values()) <= whole


def test_streamed_images_are_drawn_then_lifted():
    heard: list[str] = []
    images = resident.open_images(livekit.DATA.open(), device="cpu", budget_bytes=0, workers=0)
    images.probe = heard.append
    rows, view = np.arange(4), np.tile(np.array([0, 0, 1, 1, 0, 0], np.float32), (4, 1))
    list(images.stream([rows, rows], lambda _: view, InputSpec(height=8, width=8)))
    assert heard == ["data", "transfer"] * 2


def test_nobody_listens_after_a_probe_even_where_the_steps_fail(work: Work):
    with pytest.raises(LookupError), probed(work.session):
        raise LookupError
    assert work.session.stepper.probe is work.session.feed.images.probe is None


def test_the_bare_teacher_is_none_of_the_arms_own_doing(store: Path):
    slowed = Work(spec("live", store, wrap="slow"))
    slowed.ready(warm_up=1)
    assert min(slowed.teacher(1, lead=1) for _ in range(3)) < 0.75 * PAUSE_MS
    assert min(slowed.run(1, lead=1) for _ in range(3)) > PAUSE_MS


def test_what_is_kept_is_found_to_the_byte(work: Work):
    before = work.memory(steps=1)
    livekit.holding(work)
    after = work.memory(steps=1)
    assert after.allocated_bytes - before.allocated_bytes == HELD
    assert after.peak_memory_bytes - before.peak_memory_bytes == HELD
    assert before.meter == "tensors"


def test_what_is_taken_for_a_moment_is_in_the_peak_alone(work: Work):
    before = work.memory(steps=1)
    assert before.peak_memory_bytes - before.allocated_bytes < BRIEF / 4
    livekit.brief(work)
    after = work.memory(steps=1)
    assert after.allocated_bytes == before.allocated_bytes
    assert BRIEF <= after.peak_memory_bytes - after.allocated_bytes < 1.1 * BRIEF


class Allocator:
    """Of a GPU that is not there: 900 bytes, of which matrix products keep 300."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.held = 900
        patch.setattr(torch.cuda, "synchronize", lambda *_: None)
        patch.setattr(torch.cuda, "memory_allocated", lambda *_: self.held)
        patch.setattr(torch._C, "_cuda_clearCublasWorkspaces", self.clear, raising=False)

    def clear(self) -> None:
        self.held = 600


def test_what_matrix_products_keep_on_a_gpu_is_told_apart(monkeypatch: pytest.MonkeyPatch):
    gpu, allocator = torch.device("cuda"), Allocator(monkeypatch)
    assert memory.allocated_bytes(gpu) == 900
    assert memory.workspace_bytes(gpu) == 300
    assert allocator.held == 600
    assert memory.workspace_bytes(CPU) == 0


def test_the_peak_is_the_most_at_once():
    def one_after_the_other() -> None:
        for _ in range(3):
            torch.zeros(MIB, dtype=torch.uint8)

    def together() -> None:
        kept = [torch.zeros(MIB, dtype=torch.uint8) for _ in range(3)]
        kept.clear()
        torch.zeros(2 * MIB, dtype=torch.uint8)

    assert memory.transient_bytes(CPU, one_after_the_other) == MIB
    assert memory.transient_bytes(CPU, together) == 3 * MIB
    kept = [torch.zeros(2 * MIB, dtype=torch.uint8)]
    assert memory.transient_bytes(CPU, kept.clear) == 0
    assert memory.transient_bytes(CPU, lambda: None) == 0


def test_a_storage_counts_once_and_its_unused_part_not():
    whole = torch.zeros(1000, dtype=torch.float32)
    assert memory.storage_bytes([whole, whole[:10], whole.view(10, 100)]) == 4000
    assert memory.storage_bytes([whole[:10]]) == 4000  # a view keeps all of it
    assert memory.storage_bytes([whole[:10]], used=[whole[:10]]) == 40
    weight = nn.Parameter(torch.zeros(100))
    weight.grad = torch.zeros(100)
    assert memory.storage_bytes([weight]) == 800


def test_modules_and_optimisers_by_hand():
    linear = nn.Sequential(nn.Linear(10, 20), nn.BatchNorm1d(20))
    linear.append(linear[0])  # shared
    weights, buffers = 4 * (200 + 20 + 2 * 20), 4 * 2 * 20 + 8
    assert memory.module_bytes([linear]) == weights + buffers
    adam = torch.optim.AdamW(linear.parameters())
    assert memory.optimiser_bytes(adam) == 0
    linear[:2](torch.randn(4, 10)).sum().backward()
    assert memory.module_bytes([linear]) == weights + buffers
    adam.step()
    assert memory.optimiser_bytes(adam) == 2 * weights + 4 * len(list(linear.parameters()))


def test_the_student_alone_sees_the_same_views(store: Path, work: Work):
    alone = Work(spec("student-only", store))
    assert alone.session.stepper.method.name == "ce"
    assert alone.ready(warm_up=1).target_bytes == 0
    ours, theirs = (one.session.feed.views for one in (alone, work))
    assert ours.rule == theirs.rule
    assert ours.count == theirs.count


def test_constant_targets_never_load_the_store(store: Path, monkeypatch: pytest.MonkeyPatch):
    def load(*_: object) -> None:
        raise AssertionError("an array was loaded")

    monkeypatch.setattr(CachedTarget, "_load", load)
    constant = Work(spec("constant", store))
    assert constant.ready(warm_up=1).target_bytes == 0
    with pytest.raises(AssertionError, match="was loaded"):
        Work(spec("cached", store))


def test_a_known_number_of_bytes(work: Work):
    ready = work.ready(warm_up=1)
    own = [p for module in work.session.stepper.modules for p in module.parameters()]
    assert ready.parameter_bytes == ready.gradient_bytes == 4 * sum(p.numel() for p in own)
    assert ready.optimiser_bytes == 2 * ready.parameter_bytes + 4 * len(own)
    assert ready.image_bytes == ROWS * 32 * 32 * 3
    assert ready.target_bytes == ROWS * CLASSES * 2
    assert (ready.teacher_bytes, ready.teacher_image_size) == (0, None)
    assert (ready.rows, ready.steps_per_epoch, ready.images) == (ROWS, ROWS // BATCH, "device")


class Counter:
    """A driver whose device takes 2 J for each look that is had at it."""

    def __init__(self) -> None:
        self.millijoules = 10_000

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Any) -> int:
        self.millijoules += 2_000
        return self.millijoules


def test_energy_is_a_difference_of_the_counter(monkeypatch: pytest.MonkeyPatch, work: Work):
    meter = EnergyMeter(CPU)
    assert not meter.works
    assert work.energy(0.01) is None
    monkeypatch.setattr("teachonce.benchmarks.live.energy._find", lambda device: ("a handle", Counter()))
    work.meter = EnergyMeter(CPU)
    assert work.meter.joules(lambda: None) == 2.0
    assert work.energy(0.0) == 2.0  # of one step

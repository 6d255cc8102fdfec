"""What an arm does: it builds the training that it is told of, and makes steps, times them and looks at its memory."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from teachonce.benchmarks.arms import Arm as Steps
from teachonce.benchmarks.arms import ConstantTargets
from teachonce.benchmarks.live import memory
from teachonce.benchmarks.live.arm import ArmSpec, Memory, Ready
from teachonce.benchmarks.live.energy import EnergyMeter
from teachonce.benchmarks.live.meters import part_times, timed_ms
from teachonce.benchmarks.origin import device_name
from teachonce.cache.store import open_store
from teachonce.data.memory import device_budget, host_budget
from teachonce.engine.device import autocast, host_memory_bytes, pick_device, teacher_precision
from teachonce.engine.feed import Batch
from teachonce.engine.rows import all_digests
from teachonce.engine.session import Session, open_session
from teachonce.engine.settings import check_training
from teachonce.engine.targets import TargetSource
from teachonce.errors import InputError
from teachonce.events import SILENT, Events
from teachonce.heap import keeps_freed
from teachonce.models.rdm import RdmStack
from teachonce.models.trust import import_factory
from teachonce.options.train import TrainOptions
from teachonce.processwide import allow_tf32, current, limited_threads


class Answers:
    """An arm's process: it answers one verb after the other. The training is built with the first.

    So a parent can start all its arms and then hear them one by one.
    """

    def __init__(self) -> None:
        self._work: Work | None = None

    def __call__(self, events: Events, spec: ArmSpec, verb: str, options: Mapping[str, Any]) -> object:
        """What a verb of `Work` gives, with the threads, the device and the rounding that the arm computes with."""
        device = pick_device(spec.config.device)
        with limited_threads(spec.threads), current(device), allow_tf32(spec.config.tf32):
            self._work = self._work or Work(spec, events)
            return getattr(self._work, verb)(**options)


class Work:
    """An arm at work. A `wrap` function may change it once it is built, before its first step.

    Args:
        spec: What it is made from.
        events: Who watches.

    Attributes:
        session: The training.
        steps: What makes its steps.
    """

    def __init__(self, spec: ArmSpec, events: Events = SILENT) -> None:
        self.spec = spec
        device = pick_device(spec.config.device)
        self._budgets = host_budget(), device_budget(device)  # before anything is there
        self.session = _open(spec, events)
        self.steps = Steps(session=self.session)
        self.device = self.session.device
        self.meter = EnergyMeter(self.device)
        self._networks = self.session.stepper.source.networks
        if spec.wrap is not None:
            import_factory(spec.wrap)(self)

    def build(self) -> None:
        """See Arm.build."""

    def ready(self, warm_up: int) -> Ready:
        """See Arm.ready."""
        if warm_up < 1:
            raise InputError(f"warm_up must be at least 1, got {warm_up}", "Use 2, for example")
        self.steps.run(warm_up)
        session, trained = self.session, self.session.stepper.modules
        parameters = [parameter for module in trained for parameter in module.parameters()]
        seen, images = session.feed.teacher, session.feed.images
        return Ready(
            device=device_name(self.device),
            precision=session.precision,
            threads=torch.get_num_threads(),
            rows=len(session.rows.train),
            steps_per_epoch=session.loop.steps,
            image_size=session.stepper.student.input.height,
            teacher_image_size=None if seen is None else seen.height,
            parameter_bytes=memory.module_bytes(trained),
            gradient_bytes=sum(p.nbytes for p in parameters if p.requires_grad),
            optimiser_bytes=memory.optimiser_bytes(session.stepper.optimizer),
            teacher_bytes=memory.module_bytes(self._networks),
            image_bytes=0 if images.kept is None else images.kept.nbytes,
            images=images.placement,
            target_bytes=session.stepper.source.kept_bytes,
            targets=_place(session.stepper.source),
            host_budget_bytes=self._budgets[0],
            device_budget_bytes=self._budgets[1],
            reports_energy=self.meter.works,
            keeps_freed=keeps_freed(),
        )

    def run(self, steps: int, lead: int) -> float:
        """See Arm.run."""
        with self._turn(lead):
            return timed_ms(partial(self.steps.run, steps), self.device) / steps

    def parts(self, steps: int, lead: int) -> dict[str, float]:
        """See Arm.parts."""
        with self._turn(lead):
            found = part_times(self.session, partial(self.steps.run, steps), live=self.spec.kind == "live")
        return {part: ms / steps for part, ms in found.items()}

    def teacher(self, steps: int, lead: int) -> float:
        """See Arm.teacher."""
        forward = self._bare_forward()
        _times(lead, forward)
        return timed_ms(partial(_times, steps, forward), self.device) / steps

    def memory(self, steps: int) -> Memory:
        """See Arm.memory; the process's own peak first, before a profiler adds to it."""
        host = host_memory_bytes()
        self.steps.run(1)
        kept = self.session.feed.images.kept
        allocated = memory.allocated_bytes(self.device, used=() if kept is None else (kept,))
        most = memory.transient_bytes(self.device, partial(self.steps.run, steps))
        forward = memory.transient_bytes(self.device, self._bare_forward()) if self._networks else None
        return Memory(
            meter=memory.meter_of(self.device),
            allocated_bytes=allocated,
            workspace_bytes=memory.workspace_bytes(self.device),  # last: it gives them back
            peak_memory_bytes=allocated + most,
            teacher_peak_bytes=forward,
            host_memory_bytes=host,
        )

    def energy(self, seconds: float) -> float | None:
        """See Arm.energy."""
        if not self.meter.works:
            return None
        steps = max(1, round(1e3 * seconds / self.run(1, lead=1)))
        with self._turn(1):
            return self.meter.joules(partial(self.steps.run, steps)) / steps

    @contextmanager
    def _turn(self, lead: int) -> Iterator[None]:
        """The body's steps are counted, and what is read ahead for them is read in their own time.

        So all that was read before is used up first, and when they are done nothing is read on: it would be in the
        time of the arm whose turn is next, and free of charge when ours comes again.
        """
        ahead = self.steps.ahead
        self.steps.run(lead + ahead)
        yield
        if ahead:
            self.steps.rest()

    def _bare_forward(self) -> Callable[[], None]:
        """The live teacher's networks alone, on one batch; written apart from `LiveTargets`, which it is to check.

        Raises:
            InputError: No teacher runs here.
        """
        if not self._networks:
            raise InputError("no teacher runs here", "Ask the live arm, of a method that needs one")
        teacher, *rdms = self._networks
        images, info = _a_batch(self.session).teacher, self.session.teacher
        assert info is not None
        precision = teacher_precision(self.session.precision, info.dtype)

        def forward() -> None:
            with torch.inference_mode():
                with autocast(self.device, precision):
                    signals = teacher(images)
                for rdm in rdms:
                    assert isinstance(rdm, RdmStack)
                    rdm.outputs(signals["image_embedding"].float())

        return forward


def arm_config(spec: ArmSpec) -> TrainOptions:
    """The training of an arm: what it does not use of the common settings is left out."""
    config = replace(spec.config, source="live" if spec.kind == "live" else "cached")
    if spec.kind != "live":
        config = replace(config, teacher=None)
    if spec.kind == "student-only":
        config = replace(config, method="ce", settings={}, rdm=(), rdm_logits="stored", assistants=())
    check_training(config)
    return config


def _open(spec: ArmSpec, events: Events) -> Session:
    """The session of an arm; `constant` reads its batch from the map: no array of the store is ever in memory."""
    config, samples = arm_config(spec), spec.data.open()
    store = None if config.store is None else open_store(config.store)
    digests = all_digests(samples, events) if store is None else store.digests()
    budget = 0 if spec.kind == "constant" else None
    session = open_session(
        config, samples, store, digests=digests, events=events, target_budget=budget, epoch_rows=spec.epoch_rows
    )
    if spec.kind == "constant":
        whole = session.stepper.source
        session.stepper.source = ConstantTargets(whole, _a_batch(session).rows)
        whole.close()
    return session


def _a_batch(session: Session) -> Batch:
    """A batch of the training, beside those that it steps on."""
    return next(iter(session.feed.batches(session.loop.batches(0)[:1], 0)))


def _place(source: TargetSource) -> str:
    """Where cached targets are."""
    return "device" if source.kept_bytes else "mapped" if source.ahead else "none"


def _times(count: int, work: Callable[[], None]) -> None:
    for _ in range(count):
        work()

"""The result of one case, from what was measured of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from teachonce.benchmarks.live.arm import Kind, Ready
from teachonce.benchmarks.live.cases import LIVE, Combination, Request
from teachonce.benchmarks.live.ceilings import Bytes, memory_ceiling, peak_memory_ceiling
from teachonce.benchmarks.live.conduct import Key, Measured
from teachonce.benchmarks.live.doubts import doubts, doubts_of_images
from teachonce.benchmarks.live.epoch import Scale, kept
from teachonce.benchmarks.live.payoff import Costs, payoff, verdict
from teachonce.benchmarks.live.ratios import Times, time_ratios
from teachonce.benchmarks.live.records import (
    ArmResult,
    Arms,
    CaseResult,
    Frame,
    MemoryResult,
    MethodResult,
    Placed,
    Quartiles,
)
from teachonce.benchmarks.live.stage_one import StageOne
from teachonce.benchmarks.rounds import quartiles
from teachonce.options.methods import takes

STUDENT_ONLY = Key("student-only", "ce")


def key_of(kind: Kind, method: str) -> Key:
    """The arm of a method: one student for all, and the live one of its live rival."""
    if kind == "student-only":
        return STUDENT_ONLY
    return Key(kind, LIVE.get(method, method) if kind == "live" else method)


@dataclass(frozen=True, kw_only=True)
class CaseMeasured:
    """What was measured of one combination."""

    request: Request
    combination: Combination
    stage: StageOne
    found: Measured

    def result(self, frame: Frame) -> CaseResult:
        """What follows from it."""
        request, combination, stage, found = self.request, self.combination, self.stage, self.found
        methods = {name: self._method(name) for name in request.methods}
        ready = found.ready[STUDENT_ONLY]
        return CaseResult(
            **vars(frame),
            case=combination.case.name,
            teacher=combination.case.teacher,
            teacher_image_size=self._teacher_image_size(),
            student=combination.case.student,
            image_size=ready.image_size,
            data=request.data_text,
            batch_size=combination.batch_size,
            precision=combination.precision,
            teacher_dtype=combination.teacher_dtype,
            tf32=request.tf32,
            compile=combination.compile,
            rounds=request.rounds,
            starts=request.starts,
            steps=min(found.steps.values()),
            threads=ready.threads,
            keeps_freed=ready.keeps_freed,
            seed=request.seed,
            rows=stage.found.rows,
            epoch_rows=request.epoch_rows,
            epochs=request.epochs,
            memory_meter=found.memory[STUDENT_ONLY].meter,
            teacher_forward_ms=self._forward_ms(),
            stage_one=stage.found,
            methods=methods,
            warnings=(
                *(note for name, method in methods.items() for note in doubts(name, method.live_check)),
                *doubts_of_images(methods.values(), stage.found.rows, request.epoch_rows),
            ),
        )

    def _teacher_image_size(self) -> int:
        """Pixels a side that live teachers see, which are those of stage one."""
        seen = {self.found.ready[key].teacher_image_size for key in self.found.teacher}
        assert seen == {self.stage.teacher_image_size}, f"stage one: {self.stage.teacher_image_size} px, live: {seen}"
        return self.stage.teacher_image_size

    def _forward_ms(self) -> float:
        """Of the teacher alone, where a live arm runs it without RDMs."""
        alone = [times for key, times in self.found.teacher.items() if takes(key.method) != "rdm"]
        return quartiles(next(iter(alone or self.found.teacher.values())))[1]

    def _method(self, method: str) -> MethodResult:
        times, arms, memory = time_ratios(self._times(method)), self._arms(method), self._memory(method)
        with_rdms = takes(method) == "rdm"
        costs = Costs(
            stage_one_s=self.request.epoch_rows / self.stage.found.samples_per_s,
            rdm_s=self._rdm_s() if with_rdms else 0.0,
            cached_epoch_s=arms.cached.epoch_s,
            live_epoch_s=arms.live.epoch_s,
            epochs=self.request.epochs,
        )
        pays = payoff(costs)
        size = self.stage.found.bytes_per_sample + (self.stage.rdm_bytes_per_sample if with_rdms else 0)
        ratio = memory.memory_ratio_of_epoch
        assert ratio is not None
        return MethodResult(
            live_method=LIVE.get(method, method),
            rdm=self.stage.rdm if with_rdms else (),
            rdm_s=costs.rdm_s,
            arms=arms,
            **vars(times),
            **vars(memory),
            stage_one_s=costs.stage_one_s,
            store_bytes=size * self.request.epoch_rows,
            **vars(pays),
            verdict=verdict(pays, speedup=times.speedup, memory_ratio=ratio, epochs=self.request.epochs),
        )

    def _times(self, method: str) -> Times:
        times = self.found.times
        own = times[Key("constant", method)]
        return Times(
            student_only=times[STUDENT_ONLY],
            constant=own,
            cached=times[Key("cached", method)],
            live=times[key_of("live", method)],
            teacher=self.found.teacher[key_of("live", method)],
            live_constant=times.get(Key("constant", LIVE.get(method, method)), own),
        )

    def _arms(self, method: str) -> Arms:
        return Arms(
            student_only=self._arm(STUDENT_ONLY),
            constant=self._arm(Key("constant", method)),
            cached=self._arm(Key("cached", method)),
            live=self._arm(key_of("live", method)),
        )

    def _arm(self, key: Key) -> ArmResult:
        """Bytes of images and of cached targets are those on the device, now and where the rows are an epoch's."""
        low, step_ms, high = quartiles(self.found.times[key])
        memory, ready, scale = self.found.memory[key], self.found.ready[key], self._scale
        here, then = kept(ready), scale.kept(ready)
        rate = 1e3 * self.combination.batch_size / step_ms
        return ArmResult(
            step_ms=step_ms,
            spread=Quartiles(low=low, high=high),
            steps=self.found.steps[key],
            samples_per_s=rate,
            epoch_s=self.request.epoch_rows / rate,
            allocated_bytes=memory.allocated_bytes,
            allocated_bytes_at_epoch=self._at_epoch(key),
            allocated_bytes_without_data=self._without_data(key),
            images=Placed(where=ready.images, bytes=here.images),
            images_at_epoch=Placed(where=scale.images(ready), bytes=then.images),
            targets=Placed(where=ready.targets, bytes=here.targets),
            targets_at_epoch=Placed(where=ready.targets, bytes=then.targets),
            workspace_bytes=memory.workspace_bytes,
            peak_memory_bytes=memory.peak_memory_bytes,
            host_memory_bytes=memory.host_memory_bytes,
            energy_j=self.found.energy[key],
            parts_ms=dict(self.found.parts[key]),
        )

    def _allocated(self, key: Key) -> int:
        return self.found.memory[key].allocated_bytes

    def _without_data(self, key: Key) -> int:
        return self._allocated(key) - kept(self.found.ready[key]).both

    def _at_epoch(self, key: Key) -> int:
        return self._without_data(key) + self._scale.kept(self.found.ready[key]).both

    def _peak(self, key: Key) -> int:
        return self.found.memory[key].peak_memory_bytes

    @property
    def _scale(self) -> Scale:
        return Scale.of(self.found.ready.values(), self.stage.found.rows, self.request.epoch_rows)

    def _memory(self, method: str) -> MemoryResult:
        live, cached, constant = key_of("live", method), Key("cached", method), Key("constant", method)

        def between(bytes_of: Callable[[Key], int]) -> float:
            return bytes_of(live) / bytes_of(cached)

        held = self._bytes(method)
        then = replace(held, base=held.base + self._scale.kept(self._constant(method)).images - self._images(method))
        ceiling, peak_ceiling = memory_ceiling(held), peak_memory_ceiling(held)
        return MemoryResult(
            memory_ratio=between(self._allocated),
            peak_memory_ratio=between(self._peak),
            memory_overhead_cache=self._allocated(cached) / self._allocated(constant),
            memory_ratio_at_epoch=between(self._at_epoch),
            memory_ceiling_at_epoch=memory_ceiling(then),
            memory_overhead_cache_at_epoch=self._at_epoch(cached) / self._at_epoch(constant),
            memory_ratio_without_data=between(self._without_data),
            memory_ceiling=ceiling,
            share_of_memory_limit=between(self._allocated) / ceiling,
            peak_memory_ceiling=peak_ceiling,
            share_of_peak_memory_limit=between(self._peak) / peak_ceiling,
        )

    def _bytes(self, method: str) -> Bytes:
        live = key_of("live", method)
        ready, memory = self._constant(method), self.found.memory[Key("constant", method)]
        return Bytes(
            base=ready.parameter_bytes + ready.optimiser_bytes + self._images(method) + memory.workspace_bytes,
            teacher=self.found.ready[live].teacher_bytes,
            student_step=memory.peak_memory_bytes - memory.allocated_bytes,
            teacher_forward=self.found.memory[live].teacher_peak_bytes or 0,
        )

    def _constant(self, method: str) -> Ready:
        return self.found.ready[Key("constant", method)]

    def _images(self, method: str) -> int:
        return kept(self._constant(method)).images

    def _rdm_s(self) -> float:
        """Of all epochs of the RDMs over all samples, and of one more for their outputs: writing them takes less."""
        assert self.stage.rdm_samples_per_s is not None
        return self.request.epoch_rows * (self.request.rdm_epochs + 1) / self.stage.rdm_samples_per_s

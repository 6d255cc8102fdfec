"""The result of one case, as JSON has it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from teachonce.benchmarks.live.arm import Kind, Ready
from teachonce.benchmarks.live.cases import LIVE, Combination, Request
from teachonce.benchmarks.live.ceilings import Bytes, memory_ceiling, peak_memory_ceiling
from teachonce.benchmarks.live.conduct import Key, Measured
from teachonce.benchmarks.live.doubts import doubts, doubts_of_images
from teachonce.benchmarks.live.epoch import Scale, kept
from teachonce.benchmarks.live.payoff import Costs, payoff, verdict
from teachonce.benchmarks.live.ratios import LIMIT, TimeRatios, Times, time_ratios
from teachonce.benchmarks.live.stage_one import StageOne
from teachonce.benchmarks.rounds import quartiles
from teachonce.methods.base import METHODS

ARMS: tuple[Kind, ...] = ("student-only", "constant", "cached", "live")
STUDENT_ONLY = Key("student-only", "ce")


def key_of(kind: Kind, method: str) -> Key:
    """The arm of a method: one student for all, and the live one of its live rival."""
    if kind == "student-only":
        return STUDENT_ONLY
    return Key(kind, LIVE.get(method, method) if kind == "live" else method)


@dataclass(frozen=True, kw_only=True)
class CaseResult:
    """What was measured of one combination, and what follows from it."""

    request: Request
    combination: Combination
    stage: StageOne
    found: Measured

    def to_json(self) -> dict[str, Any]:
        """See `sweep.bench_live`; without what is the same for all cases of a call."""
        request, combination, stage, found = self.request, self.combination, self.stage, self.found
        methods = {name: self._method(name) for name in request.methods}
        ready = found.ready[STUDENT_ONLY]
        return {
            "case": combination.case.name,
            "teacher": combination.case.teacher,
            "teacher_image_size": self._teacher_image_size(),
            "student": combination.case.student,
            "image_size": ready.image_size,
            "data": request.data_text,
            "batch_size": combination.batch_size,
            "precision": combination.precision,
            "teacher_dtype": combination.teacher_dtype,
            "tf32": request.tf32,
            "compile": combination.compile,
            "rounds": request.rounds,
            "starts": request.starts,
            "steps": min(found.steps.values()),
            "threads": ready.threads,
            "keeps_freed": ready.keeps_freed,
            "seed": request.seed,
            "rows": stage.rows,
            "epoch_rows": request.epoch_rows,
            "epochs": request.epochs,
            "memory_meter": found.memory[STUDENT_ONLY].meter,
            "teacher_forward_ms": self._forward_ms(),
            "stage_one": {
                "rows": stage.rows,
                "seconds": stage.seconds,
                "samples_per_s": stage.samples_per_s,
                "bytes_per_sample": stage.bytes_per_sample,
                "peak_memory_bytes": stage.peak_memory_bytes,
            },
            "methods": methods,
            "warnings": [
                *(note for name, method in methods.items() for note in doubts(name, method)),
                *doubts_of_images(methods, stage.rows, request.epoch_rows),
            ],
        }

    def _teacher_image_size(self) -> int:
        """Pixels a side that live teachers see, which are those of stage one."""
        seen = {self.found.ready[key].teacher_image_size for key in self.found.teacher}
        assert seen == {self.stage.teacher_image_size}, f"stage one: {self.stage.teacher_image_size} px, live: {seen}"
        return self.stage.teacher_image_size

    def _forward_ms(self) -> float:
        """Of the teacher alone, where a live arm runs it without RDMs."""
        alone = [times for key, times in self.found.teacher.items() if METHODS[key.method].takes != "rdm"]
        return quartiles(next(iter(alone or self.found.teacher.values())))[1]

    def _method(self, method: str) -> dict[str, Any]:
        ratios = time_ratios(self._times(method))
        arms = {kind: self._arm(key_of(kind, method)) for kind in ARMS}
        memory = self._memory(method, arms)
        with_rdms = METHODS[method].takes == "rdm"
        costs = Costs(
            stage_one_s=self.request.epoch_rows / self.stage.samples_per_s,
            rdm_s=self._rdm_s() if with_rdms else 0.0,
            cached_epoch_s=arms["cached"]["epoch_s"],
            live_epoch_s=arms["live"]["epoch_s"],
            epochs=self.request.epochs,
        )
        pays = payoff(costs)
        size = self.stage.bytes_per_sample + (self.stage.rdm_bytes_per_sample if with_rdms else 0)
        return {
            "live_method": LIVE.get(method, method),
            "rdm": list(self.stage.rdm) if with_rdms else [],
            "rdm_s": costs.rdm_s,
            "arms": arms,
            **_time(ratios),
            **memory,
            "stage_one_s": costs.stage_one_s,
            "store_bytes": size * self.request.epoch_rows,
            **asdict(pays),
            "verdict": verdict(
                pays,
                speedup=ratios.speedup.median,
                memory_ratio=memory["memory_ratio_at_epoch"],
                epochs=self.request.epochs,
            ),
        }

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

    def _arm(self, key: Key) -> dict[str, Any]:
        low, step_ms, high = quartiles(self.found.times[key])
        memory = self.found.memory[key]
        rate = 1e3 * self.combination.batch_size / step_ms
        return {
            "step_ms": step_ms,
            "spread": {"low": low, "high": high},
            "steps": self.found.steps[key],
            "samples_per_s": rate,
            "epoch_s": self.request.epoch_rows / rate,
            "allocated_bytes": memory.allocated_bytes,
            **self._data(key),
            "workspace_bytes": memory.workspace_bytes,
            "peak_memory_bytes": memory.peak_memory_bytes,
            "host_memory_bytes": memory.host_memory_bytes,
            "energy_j": self.found.energy[key],
            "parts_ms": dict(self.found.parts[key]),
        }

    def _data(self, key: Key) -> dict[str, Any]:
        """Bytes of images and of cached targets on the device, now and where the rows are an epoch's."""
        ready, scale = self.found.ready[key], self._scale
        here, then = kept(ready), scale.kept(ready)
        allocated = self.found.memory[key].allocated_bytes
        return {
            "allocated_bytes_at_epoch": allocated - here.both + then.both,
            "allocated_bytes_without_data": allocated - here.both,
            "images": {"where": ready.images, "bytes": here.images},
            "images_at_epoch": {"where": scale.images(ready), "bytes": then.images},
            "targets": {"where": ready.targets, "bytes": here.targets},
            "targets_at_epoch": {"where": ready.targets, "bytes": then.targets},
        }

    @property
    def _scale(self) -> Scale:
        return Scale.of(self.found.ready.values(), self.stage.rows, self.request.epoch_rows)

    def _memory(self, method: str, arms: Mapping[Kind, Mapping[str, Any]]) -> dict[str, Any]:
        def ratio(over: Kind, under: Kind, of: str = "allocated_bytes") -> float:
            return float(arms[over][of] / arms[under][of])

        held = self._bytes(method)
        then = replace(held, base=held.base + self._scale.kept(self._constant(method)).images - self._images(method))
        ceiling, peak_ceiling = memory_ceiling(held), peak_memory_ceiling(held)
        between, peak = ratio("live", "cached"), ratio("live", "cached", "peak_memory_bytes")
        return {
            "memory_ratio": between,
            "peak_memory_ratio": peak,
            "memory_overhead_cache": ratio("cached", "constant"),
            "memory_ratio_at_epoch": ratio("live", "cached", "allocated_bytes_at_epoch"),
            "memory_ceiling_at_epoch": memory_ceiling(then),
            "memory_overhead_cache_at_epoch": ratio("cached", "constant", "allocated_bytes_at_epoch"),
            "memory_ratio_without_data": ratio("live", "cached", "allocated_bytes_without_data"),
            "memory_ceiling": ceiling,
            "share_of_memory_limit": between / ceiling,
            "peak_memory_ceiling": peak_ceiling,
            "share_of_peak_memory_limit": peak / peak_ceiling,
        }

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


def _time(ratios: TimeRatios) -> dict[str, Any]:
    names = ("speedup", "overhead_cache", "overhead_loss", "time_ceiling")
    spread = {name: getattr(ratios, name) for name in names} | {"live_check": ratios.live_check}
    return {
        **{name: getattr(ratios, name).median for name in names},
        "share_of_limit": ratios.share_of_limit,
        "live_check": {"ratio": ratios.live_check.median, "limit": LIMIT, "within": ratios.within},
        "spread": {name: [ratio.low, ratio.high] for name, ratio in spread.items()},
    }

"""`bench live` whose processes are made by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from teachonce.benchmarks.live.arm import ArmSpec
from teachonce.benchmarks.live.conduct import Key, Measured
from teachonce.benchmarks.live.stage_one import StageOne, StageSpec
from teachonce.benchmarks.live.sweep import bench_live
from teachonce.events import Events
from teachonce.records import to_json
from tests.benchmarks import livemade

OWN = {"teacher": "cnn-2", "student": "cnn-2", "data": "digits", "device": "cpu"}
CLIP = {"preset": "clip-embed-kd", "device": "cpu"}


@dataclass
class Bench:
    """`bench_live` whose processes are made by hand; keeps what it was asked for."""

    conducted: list[Mapping[Key, ArmSpec]] = field(default_factory=list)
    staged: list[StageSpec] = field(default_factory=list)
    stop_after: int = 1000
    stop: BaseException = field(default_factory=KeyboardInterrupt)
    teacher_ms: float = 33.0
    warnings: tuple[str, ...] = ()
    """Of the arms, once for each start."""

    def stage(self, spec: StageSpec, events: Events) -> StageOne:
        assert spec.store.parent.is_dir()
        self.staged.append(spec)
        names = tuple(f"rdm-{weight:g}" for weight in spec.distortion_weight)
        rate = 1000.0 if names else None
        return livemade.stage_one(rows=spec.rows[0], rdm=names, rdm_samples_per_s=rate, rdm_bytes_per_sample=50)

    def conduct(self, specs: Mapping[Key, ArmSpec], **options: Any) -> Measured:
        if len(self.conducted) == self.stop_after:
            raise self.stop
        self.conducted.append(specs)
        for text in options["starts"] * self.warnings:
            options["events"].warn(text)
        return livemade.measured(specs, teacher_ms=self.teacher_ms, rounds=options["rounds"])


def clip(**options: Any) -> dict[str, Any]:
    """The preset of CLIP-Embed-KD on the CPU, as JSON."""
    return to_json(bench_live(**CLIP | options))

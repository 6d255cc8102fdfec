"""The rounds of several starts are those of one longer row; parts and memory are looked at once."""

import threading
from itertools import count
from typing import ClassVar

import pytest

from teachonce.benchmarks.live import conduct as conducting
from teachonce.benchmarks.live.arm import ArmSpec, Memory, Ready
from teachonce.benchmarks.live.conduct import Key, conduct
from teachonce.benchmarks.live.data import DataSpec
from teachonce.events import SILENT
from teachonce.options.train import TrainOptions
from tests.benchmarks import livemade

KEYS = (Key("student-only", "ce"), Key("constant", "kd"), Key("cached", "kd"), Key("live", "kd"))


class Counted:
    """An arm whose steps take 1, 2, 3, ... ms, and each start of which is counted; the first of them is not."""

    started = 0
    leads: ClassVar[set[tuple[str, int, int]]] = set()
    built: ClassVar[list[object]] = []
    building = threading.Lock()

    def __init__(self, spec: ArmSpec, **others: object) -> None:
        self.key, self._ms = next(key for key in KEYS if key.kind == spec.kind), count(1)

    def __enter__(self) -> "Counted":
        type(self).started += 1
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def build(self) -> None:
        assert self.building.acquire(blocking=False)  # what is free for two that look at once is not there for both
        threading.Event().wait(0.02)
        self.built.append(self.key)
        self.building.release()

    def ready(self) -> Ready:
        assert self.built[-len(KEYS) :] == list(KEYS)  # all have looked how much is free before one is warm
        return livemade.ready(self.key)

    def run(self, steps: int, lead: int = 1) -> float:
        self.leads.add((self.key.kind, steps, lead))
        return float(next(self._ms))

    def teacher(self, steps: int, lead: int = 1) -> float:
        return 100.0 * next(self._ms)

    def parts(self, steps: int) -> dict[str, float]:
        return {"backward": float(type(self).started)}

    def memory(self) -> Memory:
        return livemade.memory(self.key)


@pytest.mark.parametrize(
    ("rounds", "starts", "times"),
    [(3, 1, [2, 3, 4]), (5, 2, [2, 3, 4, 2, 3]), (2, 3, [2, 2])],
)
def test_starts_share_the_rounds(monkeypatch: pytest.MonkeyPatch, rounds: int, starts: int, times: list[int]):
    monkeypatch.setattr(conducting, "Arm", Counted)
    Counted.started = 0
    Counted.leads.clear()
    config = TrainOptions(data="digits", store="s", student="cnn-2", out="o")
    specs = {key: ArmSpec(kind=key.kind, config=config, data=DataSpec(data="digits")) for key in KEYS}
    found = conduct(specs, rounds=rounds, starts=starts, steps=4, events=SILENT)
    assert found.times[Key("cached", "kd")] == times
    assert set(found.times) == set(KEYS)
    assert len(found.teacher[Key("live", "kd")]) == rounds
    assert Counted.started == len(KEYS) * min(starts, rounds)
    assert {parts["backward"] for parts in found.parts.values()} == {len(KEYS)}  # of the first start
    assert found.steps == dict.fromkeys(KEYS, 4)
    each = {(kind, steps, lead) for kind, _ in KEYS for steps, lead in ((1, 1), (4, 6))}
    assert Counted.leads == each  # one step to see how long they are, then all of them as warm

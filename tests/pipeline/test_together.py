"""Several steps at once: which begin when, what is told of them, and that nothing outlives an end."""

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from teachonce.data.workers import count_processors
from teachonce.errors import InputError, MismatchError, ProcessEndedError
from teachonce.events import Events, Silent
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.judge import Verdict
from teachonce.pipeline.plan import Planned
from teachonce.pipeline.steps import Step, in_order
from teachonce.pipeline.together import execute_together
from teachonce.processes import process as runner

NO_FACTS = cast(Facts, None)
PATIENCE = 60.0  # seconds


@dataclass
class Heard(Silent):
    """Keeps what it is told."""

    lines: list[str] = field(default_factory=list)

    def info(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.lines.append(f"warning: {text}")


@dataclass
class Stage:
    """Steps that do as they are told, see `stage_program`, and what became of them."""

    folder: Path
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    heard: Heard = field(default_factory=Heard)

    def hold(self, name: str, **order: Any) -> None:
        """A child that waits for `release`."""
        pipe = self.folder / f"{name}.pipe"
        os.mkfifo(pipe)
        self.orders[name] = {"waits": str(pipe), **order}

    def release(self, name: str) -> None:
        (self.folder / f"{name}.pipe").open("w").close()

    def began(self, *names: str) -> bool:
        return all((self.folder / name).exists() for name in names)

    def run(self, *planned: Planned, jobs: int = 2, threads: int | None = None) -> Mapping[str, Any]:
        logs = self.folder / "logs"
        planned = tuple(replace(plan, step=self.told(plan.step)) for plan in planned)
        return execute_together(planned, NO_FACTS, self.heard, jobs=jobs, threads=threads, logs=logs)

    def told(self, step: Step) -> Step:
        order = {"began": str(self.folder / step.name), **self.orders.get(step.name, {})}
        return replace(step, options=step.options or order)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    made = Stage(tmp_path)
    monkeypatch.setattr("teachonce.pipeline.together.PLACE", "tests.pipeline.stage_program:do")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return made


def step(name: str, *needs: str, done: bool = False) -> Planned:
    verdict = Verdict(action="run", reason="it is new")
    if done:
        verdict = Verdict(action="reuse", reason="it is there", result={"old": 1})
    return Planned(step=Step(name=name, verb="train", options={}, needs=needs), verdict=verdict)


def wait_for(there: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < end
        threading.Event().wait(0.01)


def beside(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_two_begin_at_once_and_the_third_waits_for_a_place(stage: Stage):
    stage.hold("a")
    stage.hold("b")
    seen = []

    def watch() -> None:
        wait_for(lambda: stage.began("a", "b"))
        seen.append(stage.began("c"))
        stage.release("b")
        wait_for(lambda: stage.began("c"))
        stage.release("a")

    watcher = beside(watch)
    results = stage.run(step("a"), step("b"), step("c"))
    watcher.join()
    assert seen == [False]
    assert set(results) == {"a", "b", "c"}
    assert results["c"] == {"val_top1": 0.5}


def test_a_step_waits_for_those_it_needs(stage: Stage):
    stage.hold("a")
    seen = []

    def watch() -> None:
        wait_for(lambda: stage.began("a", "c"))
        seen.append(stage.began("b"))
        stage.release("a")

    watcher = beside(watch)
    stage.run(step("a"), step("b", "a"), step("c"), jobs=3)
    watcher.join()
    assert seen == [False]
    assert stage.began("b")


def test_lines_say_what_begins_and_ends(stage: Stage):
    stage.orders["b"] = {"warns": ["odd", "odd"]}
    results = stage.run(step("a", done=True), step("b", "a"), step("c", "b"))
    assert results["a"] == {"old": 1}
    assert stage.heard.lines == [
        "[1/3] a: reuse, it is there",
        "b: run, it is new",
        "warning: b: odd",
        "[2/3] b: done, val 50.00 %",
        "c: run, it is new",
        "[3/3] c: done, val 50.00 %",
    ]
    assert (stage.folder / "logs" / "b.log").read_text() == "warning: odd\n"


def test_the_accuracy_of_rdms_is_their_own(stage: Stage):
    rdms = [{"name": f"rdm-{top1}", "top1": top1} for top1 in (0.4, None, 0.25)]
    stage.orders["a"] = {"gives": {"rdms": rdms, "teacher_top1": 1.0}}
    stage.orders["b"] = {"gives": {"rdms": [{"top1": None}], "teacher_top1": 1.0}}
    stage.run(step("a"), step("b", "a"))
    assert stage.heard.lines[1::2] == ["[1/2] a: done, top-1 40.00 %, 25.00 %", "[2/2] b: done"]


@pytest.mark.parametrize(("threads", "told"), [(None, str(max(1, count_processors() // 2))), (3, "3")])
def test_each_has_its_share_of_the_cores(stage: Stage, threads: int | None, told: str):
    stage.run(step("a"), threads=threads)
    assert (stage.folder / "a").read_text() == told


def test_a_failure_lets_those_at_work_finish_and_begins_no_other(stage: Stage):
    stage.orders["a"] = stage.orders["c"] = {"fails": True}
    stage.hold("b")

    def watch() -> None:
        wait_for(lambda: any("a failed" in line for line in stage.heard.lines))
        stage.release("b")

    watcher = beside(watch)
    with pytest.raises(MismatchError) as caught:
        stage.run(step("a"), step("b"), step("c"))
    watcher.join()
    assert (caught.value.message, caught.value.mend) == ("a: no", "mend it")
    assert not stage.began("c")
    assert f"warning: a failed, see {stage.folder / 'logs' / 'a.log'}; finishing b first" in stage.heard.lines
    assert stage.heard.lines[-1] == "[1/3] b: done, val 50.00 %"


def test_a_step_that_is_killed_is_told_with_what_its_log_says_last(stage: Stage):
    stage.orders["a"] = {"warns": ["odd"], "dies": "Cannot allocate memory"}
    with pytest.raises(ProcessEndedError) as caught:
        stage.run(step("a"))
    assert caught.value.message == "a: its process ended by signal 9: Cannot allocate memory"
    assert "resumes" in caught.value.mend
    assert "warning: a: odd" in stage.heard.lines


@pytest.mark.parametrize("deaf", [False, True])
def test_an_interrupt_ends_all_of_them(stage: Stage, deaf: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runner, "PATIENCE", (0.5 if deaf else PATIENCE, PATIENCE))
    others = psutil.Process().children()  # such as multiprocessing's resource tracker
    stage.hold("a", deaf=deaf)
    stage.hold("b")

    def watch() -> None:
        wait_for(lambda: stage.began("a", "b"))
        os.kill(os.getpid(), signal.SIGINT)

    watcher = beside(watch)
    with pytest.raises(KeyboardInterrupt):
        stage.run(step("a"), step("b"), step("c"))
    watcher.join()
    assert psutil.Process().children() == others
    assert not stage.began("c")


def evaluation(name: str) -> Planned:
    verdict = Verdict(action="run", reason="after its training")
    options = {"run": "r", "data": "d"}
    return Planned(step=Step(name=f"evaluate {name}", verb="evaluate", options=options, needs=(name,)), verdict=verdict)


def test_evaluations_are_done_here_while_the_next_children_work(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    stage.hold("b")
    seen = []

    def evaluate(step: Step, facts: Facts, events: Events) -> Mapping[str, Any]:
        wait_for(lambda: stage.began("b"))
        seen.append(step.name)
        events.info("nobody hears that")
        events.warn("odd")
        stage.release("b")
        return {"top1": 0.25}

    monkeypatch.setattr("teachonce.pipeline.execute.do_evaluation", evaluate)
    results = stage.run(step("a"), evaluation("a"), step("b"), jobs=1)
    assert seen == ["evaluate a"]
    assert results["evaluate a"] == {"top1": 0.25}
    assert "warning: evaluate a: odd" in stage.heard.lines
    assert "[2/3] evaluate a: done, test 25.00 %" in stage.heard.lines
    assert "nobody hears that" not in stage.heard.lines


def test_an_evaluation_that_fails_is_named(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    def evaluate(step: Step, facts: Facts, events: Events) -> Mapping[str, Any]:
        raise MismatchError("other classes", "use the same")

    monkeypatch.setattr("teachonce.pipeline.execute.do_evaluation", evaluate)
    with pytest.raises(MismatchError, match="evaluate a: other classes"):
        stage.run(step("a"), evaluation("a"), step("b", "evaluate a"))
    assert not stage.began("b")


def test_steps_come_behind_those_they_need():
    steps = [plan.step for plan in (step("a", "c"), step("b"), step("c", "d"), step("d"))]
    assert [found.name for found in in_order(steps)] == ["b", "d", "c", "a"]
    with pytest.raises(InputError, match="need each other: a, b"):
        in_order([plan.step for plan in (step("a", "b"), step("b", "a"), step("c"))])

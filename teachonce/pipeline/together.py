"""Does what a plan says, several steps at once where they do not need each other."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from teachonce.errors import TeachonceError
from teachonce.events import Events, Task
from teachonce.pipeline.crew import Crew, Outcome
from teachonce.pipeline.evaluations import record
from teachonce.pipeline.execute import Results
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.plan import Planned
from teachonce.pipeline.steps import Step
from teachonce.pipeline.threads import cores

_WARNING = "warning: "


def execute_together(
    planned: Sequence[Planned], facts: Facts, events: Events, *, jobs: int, threads: int | None, logs: Path
) -> Results:
    """Do up to `jobs` steps at once, each when the steps that it needs are done.

    Each has a process of its own, whose progress goes to a file of `logs`; here a line says when it begins and ends.
    Where a step fails, those at work are finished, so that nothing of them is lost, and no other is begun.

    Args:
        planned: In an order in which no step comes before one that it needs.
        facts: Of the data.
        events: Who watches.
        jobs: How many steps at once.
        threads: CPU threads of each; None: a fair share of the cores.
        logs: Folder.

    Raises:
        TeachonceError: Steps failed, all of them are named; those that were done are kept.
        KeyboardInterrupt: We, or one of them, were interrupted; all of them have ended.
    """
    share = threads or max(1, cores() // jobs)
    environment = {} if threads is None and "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(share)}
    with (
        events.task("steps", total=len(planned), unit="steps") as task,
        Crew(logs, environment) as crew,
    ):
        return _Course(planned, facts, events, task, crew).run(jobs)


class _Course:
    """The course of a run of several steps at once."""

    def __init__(self, planned: Sequence[Planned], facts: Facts, events: Events, task: Task, crew: Crew) -> None:
        self._facts, self._events, self._task, self._crew = facts, events, task, crew
        self._total = len(planned)
        self._left = {plan.step.name: plan for plan in planned}
        self._results: Results = {}
        self._failed: list[TeachonceError] = []

    def run(self, jobs: int) -> Results:
        for plan in [plan for plan in self._left.values() if plan.verdict.result is not None]:
            self._finish(plan.step, f"reuse, {plan.verdict.reason}", plan.verdict.result)
        while self._begin(jobs):
            self._take(*self._crew.wait())
        if self._failed:
            raise _joined(self._failed)
        return self._results

    def _begin(self, jobs: int) -> bool:
        """Begin what can be begun; whether anything is at work."""
        ready = [] if self._failed else [plan for plan in self._left.values() if self._is_ready(plan.step)]
        for plan in ready[: jobs - len(self._crew.names)]:
            self._events.info(f"{plan.step.name}: {plan.verdict.action}, {plan.verdict.reason}")
            self._crew.start(plan.step.name, plan.step.words())
        self._task.note(", ".join(self._crew.names))
        return bool(self._crew.names)

    def _is_ready(self, step: Step) -> bool:
        return step.name not in self._crew.names and not any(name in self._left for name in step.needs)

    def _take(self, name: str, outcome: Outcome) -> None:
        step = self._left[name].step
        for text in _warnings(self._crew.log(name)):
            self._events.warn(f"{name}: {text}")
        if isinstance(outcome, TeachonceError):
            self._failed.append(outcome)
            others = f"; finishing {', '.join(self._crew.names)} first" if self._crew.names else ""
            self._events.warn(f"{name} failed, see {self._crew.log(name)}{others}")
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            if step.verb == "evaluate":
                record(step, self._facts, outcome)
            self._finish(step, f"done{_measured(outcome)}", outcome)

    def _finish(self, step: Step, how: str, result: Mapping[str, Any] | None) -> None:
        del self._left[step.name]
        self._results[step.name] = result
        self._events.info(f"[{len(self._results)}/{self._total}] {step.name}: {how}")
        self._task.advance()


def _measured(result: Mapping[str, Any]) -> str:
    """What a step came to, in two words."""
    for key, word in (("val_top1", "val"), ("top1", "test"), ("teacher_top1", "top-1")):
        if result.get(key) is not None:
            return f", {word} {100 * result[key]:.2f} %"
    return ""


def _warnings(log: Path) -> list[str]:
    """What a step warned of, each once."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return list(dict.fromkeys(line.removeprefix(_WARNING) for line in lines if line.startswith(_WARNING)))


def _joined(errors: Sequence[TeachonceError]) -> TeachonceError:
    """One error for all: of the first one's class, with every message."""
    mends = dict.fromkeys(error.mend for error in errors if error.mend)
    return type(errors[0])("; ".join(error.message for error in errors), "; ".join(mends))

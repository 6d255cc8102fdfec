"""Does what a plan says, several steps at once where they do not need each other."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from teachonce.errors import TeachonceError
from teachonce.events import Events, Silent, Task
from teachonce.models.trust import factory_environment
from teachonce.pipeline.crew import Crew, Outcome
from teachonce.pipeline.execute import HERE, Results, do_here
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.plan import Planned
from teachonce.pipeline.steps import Step
from teachonce.pipeline.threads import cores, share
from teachonce.processwide import limited_threads

_WARNING = "warning: "


def execute_together(
    planned: Sequence[Planned], facts: Facts, events: Events, *, jobs: int, threads: int | None, logs: Path
) -> Results:
    """Do up to `jobs` steps at once, each when the steps that it needs are done.

    Each has a process of its own, whose progress goes to a file of `logs`; here a line says when it begins and ends.
    Evaluations and the report are done here, between them, with the same share of the cores. Where a step fails,
    those at work are finished, so that nothing of them is lost, and no other is begun.

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
    with (
        events.task("steps", total=len(planned), unit="steps") as task,
        limited_threads(threads or max(1, cores() // jobs)),
        Crew(logs, share(jobs, threads) | factory_environment()) as crew,
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
        while self._begin(jobs) or self._ready(*HERE):
            if ours := self._ready(*HERE):
                self._do(ours[0].step)
            else:
                self._take(*self._crew.wait())
        if self._failed:
            raise _joined(self._failed)
        return self._results

    def _begin(self, jobs: int) -> bool:
        """Begin what can be begun; whether anything is at work."""
        for plan in self._ready("train", "embed", "rdm")[: jobs - len(self._crew.names)]:
            self._events.info(f"{plan.step.name}: {plan.verdict.action}, {plan.verdict.reason}")
            self._crew.start(plan.step.name, plan.step.words())
        self._task.note(", ".join(self._crew.names))
        return bool(self._crew.names)

    def _ready(self, *verbs: str) -> list[Planned]:
        """What can be begun; nothing after a failure."""
        plans = [plan for plan in self._left.values() if plan.step.verb in verbs and not self._failed]
        return [plan for plan in plans if plan.step.name not in self._crew.names and not self._lacks(plan.step)]

    def _lacks(self, step: Step) -> bool:
        return any(name in self._left for name in step.needs)

    def _do(self, step: Step) -> None:
        try:
            result = do_here(step, self._facts, _Warnings(self._events, step.name))
        except TeachonceError as error:
            self._fail(step.name, type(error)(f"{step.name}: {error.message}", error.mend), "")
        else:
            self._finish(step, f"done{_measured(result)}", result)

    def _take(self, name: str, outcome: Outcome) -> None:
        for text in _warnings(self._crew.log(name)):
            self._events.warn(f"{name}: {text}")
        if isinstance(outcome, TeachonceError):
            self._fail(name, outcome, f", see {self._crew.log(name)}")
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            self._finish(self._left[name].step, f"done{_measured(outcome)}", outcome)

    def _fail(self, name: str, error: TeachonceError, where: str) -> None:
        self._failed.append(error)
        others = f"; finishing {', '.join(self._crew.names)} first" if self._crew.names else ""
        self._events.warn(f"{name} failed{where}{others}")

    def _finish(self, step: Step, how: str, result: Mapping[str, Any] | None) -> None:
        del self._left[step.name]
        self._results[step.name] = result
        self._events.info(f"[{len(self._results)}/{self._total}] {step.name}: {how}")
        self._task.advance()


class _Warnings(Silent):
    """Tells of what is done here no more than its warnings."""

    def __init__(self, events: Events, step: str) -> None:
        self._events, self._step = events, step

    def warn(self, text: str) -> None:
        """See Events.warn."""
        self._events.warn(f"{self._step}: {text}")


def _measured(result: Mapping[str, Any]) -> str:
    """What a step came to, in two words; an RDM's accuracy is its own, not the teacher's that is told beside it."""
    if "rdms" in result:
        tops = [f"{100 * rdm['top1']:.2f} %" for rdm in result["rdms"] if rdm["top1"] is not None]
        return f", top-1 {', '.join(tops)}" if tops else ""
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

"""Does what a plan says, several steps at once where they do not need each other."""

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from teachonce.data.workers import count_processors
from teachonce.errors import TeachonceError
from teachonce.events import Events, Lines, Silent, Task, WarnOnce
from teachonce.fsio import disk_errors
from teachonce.models.trust import factory_environment
from teachonce.pipeline.child import MEND, PLACE
from teachonce.pipeline.execute import HERE, Results, do_here, template_of
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.plan import Planned
from teachonce.pipeline.steps import Step
from teachonce.pipeline.threads import share
from teachonce.processes.process import Pool
from teachonce.processwide import limited_threads

Done = tuple[Mapping[str, Any] | TeachonceError, list[str]]
"""The result of a step or its error, and what it warned of."""


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
        limited_threads(threads or max(1, count_processors() // jobs)),
        ThreadPoolExecutor(jobs) as executor,
        template_of(planned, share(jobs, threads) | factory_environment()) as template,
        Pool(template) as pool,
    ):
        work = partial(_in_process, pool)
        return _Course(planned, facts, events, task, lambda *step: executor.submit(work, *step), logs).run(jobs)


def _in_process(pool: Pool, step: Step, log: Path) -> Done:
    """Do a step; what it says, and what libraries say meanwhile, is in its log."""
    with disk_errors(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        file = log.open("w+b", buffering=0)

    def say(line: str) -> None:
        with suppress(OSError):  # a log is not worth a training
            file.write(f"{line}\n".encode())

    events = WarnOnce(Lines(say))
    with file:
        given = {"name": step.name, "log": file, "mend": MEND}
        try:
            return pool.run(PLACE, step.verb, step.options, events=events, **given), events.warnings
        except TeachonceError as error:
            return error, events.warnings


class _Course:
    """The course of a run of several steps at once."""

    def __init__(
        self,
        planned: Sequence[Planned],
        facts: Facts,
        events: Events,
        task: Task,
        begin: Callable[[Step, Path], Future[Done]],
        logs: Path,
    ) -> None:
        self._facts, self._events, self._task, self._start, self._logs = facts, events, task, begin, logs
        self._at_work: dict[Future[Done], str] = {}
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
                self._take(next(iter(wait(self._at_work, return_when=FIRST_COMPLETED).done)))
        if self._failed:
            raise _joined(self._failed)
        return self._results

    def _begin(self, jobs: int) -> bool:
        """Begin what can be begun; whether anything is at work."""
        for plan in self._ready("train", "embed", "rdm")[: jobs - len(self._at_work)]:
            self._events.info(f"{plan.step.name}: {plan.verdict.action}, {plan.verdict.reason}")
            self._at_work[self._start(plan.step, self._log(plan.step.name))] = plan.step.name
        self._task.note(", ".join(self._at_work.values()))
        return bool(self._at_work)

    def _ready(self, *verbs: str) -> list[Planned]:
        """What can be begun; nothing after a failure."""
        plans = [plan for plan in self._left.values() if plan.step.verb in verbs and not self._failed]
        return [plan for plan in plans if plan.step.name not in self._at_work.values() and not self._lacks(plan.step)]

    def _lacks(self, step: Step) -> bool:
        return any(name in self._left for name in step.needs)

    def _do(self, step: Step) -> None:
        try:
            result = do_here(step, self._facts, _Warnings(self._events, step.name))
        except TeachonceError as error:
            self._fail(step.name, type(error)(f"{step.name}: {error.message}", error.mend), "")
        else:
            self._finish(step, f"done{_measured(result)}", result)

    def _log(self, name: str) -> Path:
        """The file of what a step says."""
        return self._logs / f"{re.sub(r'[^A-Za-z0-9.=+_-]+', '-', name)}.log"

    def _take(self, future: Future[Done]) -> None:
        name = self._at_work.pop(future)
        result, warnings = future.result()
        for text in warnings:
            self._events.warn(f"{name}: {text}")
        if isinstance(result, TeachonceError):
            self._fail(name, result, f", see {self._log(name)}")
        else:
            self._finish(self._left[name].step, f"done{_measured(result)}", result)

    def _fail(self, name: str, error: TeachonceError, where: str) -> None:
        self._failed.append(error)
        others = f"; finishing {', '.join(self._at_work.values())} first" if self._at_work else ""
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


def _joined(errors: Sequence[TeachonceError]) -> TeachonceError:
    """One error for all: of the first one's class, with every message."""
    mends = dict.fromkeys(error.mend for error in errors if error.mend)
    return type(errors[0])("; ".join(error.message for error in errors), "; ".join(mends))

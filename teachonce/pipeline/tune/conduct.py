"""A search from its plan to its result: what comes before the trials, the trials, the files at the end."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from teachonce.cache.store import open_store
from teachonce.engine.describe import identify
from teachonce.engine.runfile import owned
from teachonce.errors import TeachonceError
from teachonce.events import Events
from teachonce.fsio import write_json
from teachonce.pipeline.execute import execute
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.judge import train_options
from teachonce.pipeline.plan import make_plan
from teachonce.pipeline.recipe import Recipe
from teachonce.pipeline.run import StepResult, refuse
from teachonce.pipeline.steps import Step
from teachonce.pipeline.together import execute_together
from teachonce.pipeline.tune.dims import read_space
from teachonce.pipeline.tune.journal import open_journal
from teachonce.pipeline.tune.results import TuneResult, VariantResult, planned_variant, searched_variant
from teachonce.pipeline.tune.search import search_all
from teachonce.pipeline.tune.space import space_of
from teachonce.pipeline.tune.study import Search
from teachonce.pipeline.tune.variants import Variant
from teachonce.pipeline.tune.write import write_tuned
from teachonce.records import to_json

JOURNAL, BEST = "journal.log", "best.json"


class Conduct:
    """Plans with its beginning; nothing is written before `searched`.

    Args:
        recipe: What is tuned, and how.
        variants: Of the recipe.
        facts: Of the data.
        events: Who watches.

    Raises:
        TeachonceError: The recipe, its data or a space cannot be used.
    """

    def __init__(self, recipe: Recipe, variants: Sequence[Variant], facts: Facts, events: Events) -> None:
        self._recipe, self._variants, self._facts, self._events = recipe, variants, facts, events
        self._folder = recipe.out / "tune"
        plan = make_plan(recipe, facts)
        self._first = [planned for planned in plan if planned.step.training is None and planned.step.verb != "report"]
        steps = {p.step.training.name: p.step for p in plan if p.step.training is not None and p.step.verb == "train"}
        self._steps = [steps[variant.trainings[0].name] for variant in variants]
        given, _ = read_space(recipe.tune.space, [variant.options.method for variant in variants])
        self._spaces = [space_of(step, given) for step in self._steps]

    def planned(self) -> TuneResult:
        """What would be done."""
        return self._result(
            [planned_variant(variant, space) for variant, space in zip(self._variants, self._spaces, strict=True)],
            {plan.step.name: plan.verdict.result for plan in self._first},
        )

    def searched(self, path: Path, jobs: int) -> TuneResult:
        """Do it.

        Args:
            path: The tuned recipe.
            jobs: Trials at once.
        """
        refuse(self._first)
        before = self._before(jobs)
        with owned(self._folder):
            searches = self._open()
            threads, logs = self._recipe.run.threads, self._folder / "logs"
            search_all(searches, self._events, jobs=jobs, threads=threads, logs=logs)
            return self._write(path, searches, before)

    def _before(self, jobs: int) -> Mapping[str, Any]:
        """Teacher, store, RDMs and assistants, as `run` makes them."""
        if jobs == 1:
            return execute(self._first, self._facts, self._events)
        threads, logs = self._recipe.run.threads, self._recipe.out / "logs"
        return execute_together(self._first, self._facts, self._events, jobs=jobs, threads=threads, logs=logs)

    def _open(self) -> list[Search]:
        storage = open_journal(self._folder / JOURNAL)
        searches = []
        for variant, space, step in zip(self._variants, self._spaces, self._steps, strict=True):
            search = Search(storage, variant, space, step, self._recipe.tune, self._folder, self._identity(step))
            if search.others and not search.trials:
                old = ", ".join(sorted(search.others))
                self._events.warn(
                    f"{variant.name}: its settings, data or space differ from those in {old}: a new search"
                )
            searches.append(search)
        return searches

    def _identity(self, step: Step) -> Mapping[str, Any]:
        """Settings, data and targets of the training: where one of them changes, old trials do not count."""
        config, samples = train_options(step), self._facts.samples(step.options)
        store = None if config.store is None else open_store(config.store)
        digests = self._facts.digests(step.options) if store is None else store.digests()
        return to_json(identify(config, samples, store, digests))

    def _write(self, path: Path, searches: Sequence[Search], before: Mapping[str, Any]) -> TuneResult:
        found = [
            replace(variant, **searched_variant(search))
            for variant, search in zip(self.planned().variants, searches, strict=True)
        ]
        self._check(found, searches)
        result = replace(self._result(found, before), best=str(self._folder / BEST), tuned=str(path))
        about = asdict(result)
        write_json(self._folder / BEST, {key: about[key] for key in ("metric", "trials", "variants")})
        write_tuned(path, self._recipe, list(zip(self._variants, found, strict=True)))
        return result

    def _check(self, found: Sequence[VariantResult], searches: Sequence[Search]) -> None:
        """Say where a search found nothing; where none found anything, there is nothing to write."""
        empty = [variant.name for variant in found if variant.best_trial is None]
        if len(empty) == len(found):
            errors = [trial.user_attrs.get("error") for search in searches for trial in search.over]
            told = next((f": {error}" for error in errors if error), "")
            mend = f"Give other values or another space; to start again, remove {self._folder}"
            raise TeachonceError(f"no trial finished{told}", mend)
        for name in empty:
            self._events.warn(f"{name}: no trial finished, so the recipe's own values are kept")

    def _result(self, variants: Sequence[VariantResult], before: Mapping[str, Any]) -> TuneResult:
        steps = [
            StepResult(
                name=plan.step.name,
                action=plan.verdict.action,
                reason=plan.verdict.reason,
                result=before.get(plan.step.name),
            )
            for plan in self._first
        ]
        return TuneResult(
            metric=self._recipe.tune.metric, trials=self._recipe.tune.trials, steps=steps, variants=variants
        )

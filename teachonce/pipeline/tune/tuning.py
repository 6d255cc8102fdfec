"""A search from its plan to its result: what comes before the trials, the trials, the files at the end."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from teachonce.engine.runfile import owned
from teachonce.errors import TeachonceError
from teachonce.events import Events
from teachonce.fsio import write_json
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.judge import identity_of
from teachonce.pipeline.plan import make_plan
from teachonce.pipeline.recipe import Recipe
from teachonce.pipeline.run import execute_steps, refuse, step_results
from teachonce.pipeline.tune.dims import read_space
from teachonce.pipeline.tune.journal import open_journal, quiet
from teachonce.pipeline.tune.results import TuneResult, VariantResult
from teachonce.pipeline.tune.search import Search
from teachonce.pipeline.tune.space import space_of
from teachonce.pipeline.tune.trials import search_all, tidy
from teachonce.pipeline.tune.variants import Variant
from teachonce.pipeline.tune.write import write_tuned
from teachonce.records import to_json


class Tuning:
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
        self._recipe, self._facts, self._events = recipe, facts, events
        self._folder = recipe.out / "tune"
        plan = make_plan(recipe, facts)
        self._first = [planned for planned in plan if planned.step.training is None and planned.step.verb != "report"]
        steps = {p.step.training.name: p.step for p in plan if p.step.training is not None and p.step.verb == "train"}
        given, _ = read_space(
            recipe.tune.space, [part for variant in variants for part in variant.options.method.split("+")]
        )
        self._searches = [
            Search(variant, step, space_of(step, given), recipe.tune)
            for variant, step in ((variant, steps[variant.trainings[0].name]) for variant in variants)
        ]

    def planned(self) -> TuneResult:
        """What would be done."""
        return self._result({plan.step.name: plan.verdict.result for plan in self._first})

    def searched(self, path: Path, jobs: int) -> TuneResult:
        """Do it.

        Args:
            path: The tuned recipe.
            jobs: Trials at once.
        """
        refuse(self._first)
        before = execute_steps(self._recipe, self._first, self._facts, jobs, self._events)
        with owned(self._folder), quiet():
            self._open()
            threads, logs = self._recipe.run.threads, self._folder / "logs"
            search_all(self._searches, self._events, jobs=jobs, threads=threads, logs=logs)
            return self._write(path, before)

    def _open(self) -> None:
        storage = open_journal(self._folder / "journal.log")
        for search in self._searches:
            if others := search.open(storage, self._folder, to_json(identity_of(search.step, self._facts))):
                old = f"its settings, data or space differ from those in {', '.join(sorted(others))}"
                self._events.warn(f"{search.variant.name}: {old}: a new search")
            tidy(search)

    def _write(self, path: Path, before: Mapping[str, Mapping[str, Any] | None]) -> TuneResult:
        best = self._folder / "best.json"
        result = replace(self._result(before), best=str(best), tuned=str(path))
        self._check(result.variants)
        about = asdict(result)
        write_json(best, {key: about[key] for key in ("metric", "trials", "variants")})
        variants = [search.variant for search in self._searches]
        write_tuned(path, self._recipe, list(zip(variants, result.variants, strict=True)))
        return result

    def _check(self, found: Sequence[VariantResult]) -> None:
        """Say where a search found nothing; where none found anything, there is nothing to write."""
        empty = [variant.name for variant in found if variant.best_trial is None]
        if len(empty) == len(found):
            errors = [trial.user_attrs.get("error") for search in self._searches for trial in search.over]
            told = next((f": {error}" for error in errors if error), "")
            mend = f"Give other values or another space; to start again, remove {self._folder}"
            raise TeachonceError(f"no trial finished{told}", mend)
        for name in empty:
            self._events.warn(f"{name}: no trial finished, so the recipe's own values are kept")

    def _result(self, before: Mapping[str, Mapping[str, Any] | None]) -> TuneResult:
        tune = self._recipe.tune
        variants = [search.result() for search in self._searches]
        return TuneResult(
            metric=tune.metric, trials=tune.trials, steps=step_results(self._first, before), variants=variants
        )

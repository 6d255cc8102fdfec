"""Searches the settings of every variant of a recipe, and writes the recipe with what it found."""

from dataclasses import replace
from pathlib import Path

from teachonce.errors import InputError
from teachonce.events import SILENT, Events
from teachonce.pipeline.recipe import load_recipe
from teachonce.pipeline.tune.results import TuneResult
from teachonce.pipeline.tune.variants import find_variants
from teachonce.pipeline.tune.write import tuned_path
from teachonce.processwide import limited_threads


def tune(
    recipe: str | Path,
    *,
    out: str | Path | None = None,
    trials: int | None = None,
    jobs: int | None = None,
    write: str | Path | None = None,
    dry_run: bool = False,
    trust_remote_code: bool = False,
    events: Events = SILENT,
) -> TuneResult:
    """Search temperature, weights and learning rate of each training of a recipe, all from the one store.

    What comes before the trainings (teacher, store, RDMs, assistants) is made first, as `run` makes it. Each variant
    gets the same number of trials, the first with the recipe's own values. Trials that fall behind are pruned; one
    that fails is told and counted. All is journalled: killed or interrupted, the same call goes on, trials at work
    from their last epoch.

    Args:
        recipe: A TOML file, or `quickstart`; its [tune] table says how to search, and [tune.space] where.
        out: The folder of the runs in place of the recipe's; the search is in its folder `tune`.
        trials: Of each variant, in place of the recipe's.
        jobs: Trials at once; None: as the recipe says, else one.
        write: The tuned recipe in place of RECIPE-tuned.toml beside the recipe.
        dry_run: Only say what would be searched, and where.
        trust_remote_code: See `run`.
        events: Who watches.

    Raises:
        InputError: The recipe, or the space, has wrong keys or values. Nothing was run.
        ModelError: The recipe names code, and that is not allowed.
        MismatchError: What comes before the trainings holds something else.
        CorruptError: The journal cannot be read.
        BusyError: Another search is at work there.
        DiskError: The tuned recipe or the search cannot be written.
        TeachonceError: What comes before failed, or what stops every trial; the same call goes on.
    """
    for name, value in {"trials": trials, "jobs": jobs}.items():
        if value is not None and value < 1:
            raise InputError(f"{name} must be at least 1, got {value}", f"Give another --{name}")
    loaded = load_recipe(recipe, out, trust_remote_code=trust_remote_code)
    if trials is not None:
        loaded = replace(loaded, tune=loaded.tune.model_copy(update={"trials": trials}))
    variants = find_variants(loaded.trainings)
    path = tuned_path(recipe, loaded, write)
    from teachonce.pipeline.facts import Facts  # torch and its friends come with it: not before the recipe is right
    from teachonce.pipeline.trust import code_of
    from teachonce.pipeline.tune.conduct import Conduct

    with code_of(loaded, str(recipe)), limited_threads(loaded.run.threads):
        conduct = Conduct(loaded, variants, Facts(events), events)
        if dry_run:
            return conduct.planned()
        return conduct.searched(path, jobs or loaded.run.jobs or 1)

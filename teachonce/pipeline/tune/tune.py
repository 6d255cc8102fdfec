"""Searches the settings of every variant of a recipe, and writes the recipe with what it found."""

from dataclasses import replace

from teachonce.events import Events
from teachonce.options.runs import TuneOptions
from teachonce.options.verb import verb
from teachonce.pipeline.recipe import load_recipe
from teachonce.pipeline.tune.results import TuneResult
from teachonce.pipeline.tune.variants import find_variants
from teachonce.pipeline.tune.write import tuned_path
from teachonce.processwide import limited_threads


@verb(TuneOptions)
def tune(options: TuneOptions, events: Events) -> TuneResult:
    """Search temperature, weights and learning rate of each training of a recipe, all from the one store.

    What comes before the trainings (teacher, store, RDMs, assistants) is made first, as `run` makes it. Each variant
    gets the same number of trials, the first with the recipe's own values. Trials that fall behind are pruned; one
    that fails is told and counted. All is journalled: killed or interrupted, the same call goes on, trials at work
    from their last epoch.

    Raises:
        InputError: The recipe, or the space, has wrong keys or values. Nothing was run.
        ModelError: The recipe names code, and that is not allowed.
        MismatchError: What comes before the trainings holds something else.
        CorruptError: The journal cannot be read.
        BusyError: Another search is at work there.
        DiskError: The tuned recipe or the search cannot be written.
        TeachonceError: What comes before failed, or what stops every trial; the same call goes on.
    """
    loaded = load_recipe(options.recipe, options.out, trust_remote_code=options.trust_remote_code)
    if options.trials is not None:
        loaded = replace(loaded, tune=replace(loaded.tune, trials=options.trials))
    variants = find_variants(loaded.trainings)
    path = tuned_path(options.recipe, loaded, options.write)
    from teachonce.pipeline.facts import Facts  # torch and its friends come with it: not before the recipe is right
    from teachonce.pipeline.trust import code_of
    from teachonce.pipeline.tune.tuning import Tuning

    with code_of(loaded, options.recipe), limited_threads(loaded.run.threads):
        tuning = Tuning(loaded, variants, Facts(events), events)
        if options.dry_run:
            return tuning.planned()
        return tuning.searched(path, options.jobs or loaded.run.jobs or 1)

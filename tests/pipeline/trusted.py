"""Recipes of our own: their factories may be run."""

from functools import partial

from teachonce.pipeline import run as _run
from teachonce.pipeline.tune import tune as _tune

run = partial(_run.run, trust_remote_code=True)
tune = partial(_tune.tune, trust_remote_code=True)

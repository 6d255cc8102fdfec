"""What a worker's process does: it trains trials one after another, so that its imports are paid for once."""

import gc
from collections.abc import Mapping
from typing import Any

import torch

from teachonce.engine.metrics import read_metrics
from teachonce.events import Events
from teachonce.heap import give_back
from teachonce.options.train import TrainOptions
from teachonce.options.words import command_words
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.judge import train_options
from teachonce.pipeline.steps import Step
from teachonce.pipeline.tune.workers import PrunedError
from teachonce.processes.command import stands_for
from teachonce.processwide import limited_threads
from teachonce.records import to_json
from teachonce.stages.train import run_training


class Trainer:
    """Trains trials; their data is opened once."""

    def __init__(self) -> None:
        self._facts = Facts()

    def __call__(self, events: Events, options: Mapping[str, Any]) -> bool:
        """See `train_trial`."""
        stands_for(["train", *command_words(TrainOptions, options)])
        try:
            return train_trial(options, self._facts, events)
        finally:
            _release()


def train_trial(options: Mapping[str, Any], facts: Facts, events: Events) -> bool:
    """Train a trial, or go on with it, until it is done or the search has seen enough.

    Args:
        options: Of the training, as in `Step`.
        facts: Of the data.
        events: Hear each epoch, also those that an earlier process trained; a PrunedError ends the training.

    Returns:
        Whether it came to its end.

    Raises:
        TeachonceError: See `train`.
    """
    step = Step(name="trial", verb="train", options=options)
    config = train_options(step)
    try:
        for entry in read_metrics(config.out):
            events.epoch(to_json(entry))
        with limited_threads(options.get("threads")):
            run_training(config, facts.samples(step.options), events)
    except PrunedError:
        return False
    return True


def _release() -> None:
    """Give the trial's memory back: the next one may be larger."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    give_back()

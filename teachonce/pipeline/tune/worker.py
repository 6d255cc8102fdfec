"""The program that trains trials one after another: started once, so that its imports are paid for once.

In come the options of a training; out go its epochs and warnings, which are answered, and how it ended.
"""

import gc
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import FrameType
from typing import Any, NoReturn

from teachonce.errors import TeachonceError, is_out_of_memory
from teachonce.events import Silent
from teachonce.heap import give_back, keep_freed
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.judge import train_options
from teachonce.pipeline.steps import Step
from teachonce.pipeline.tune.workers import TrialError
from teachonce.processwide import limited_threads

Ask = Callable[[str, object], Any]


class PrunedError(Exception):
    """The search does not want more epochs of this training."""


class _Reporter(Silent):
    """Tells the search of epochs and warnings, and ends the training where it has seen enough."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def epoch(self, entry: Mapping[str, Any]) -> None:
        if self._ask("epoch", entry):
            raise PrunedError

    def warn(self, text: str) -> None:
        self._ask("warning", text)


def train_trial(options: Mapping[str, Any], facts: Facts, ask: Ask) -> bool:
    """Train a trial, or go on with it, until it is done or the search has seen enough.

    Args:
        options: Of the training, as in `Step`.
        facts: Where its data is opened once for all trials.
        ask: Takes `warning` with its text, and `epoch` with its metrics, also of those that an earlier process trained;
            then it says whether the search has seen enough.

    Returns:
        Whether it came to its end.

    Raises:
        TrialError, NonFiniteError: This training cannot be done, but others may.
        TeachonceError: What would stop every trial.
    """
    from teachonce.engine.metrics import read_metrics
    from teachonce.stages.train import run_training

    step = Step(name="trial", verb="train", options=options)
    config, reporter = train_options(step), _Reporter(ask)
    try:
        for entry in read_metrics(config.out):
            reporter.epoch(entry)
        with limited_threads(options.get("threads")):
            run_training(config, facts.samples(step.options), reporter)
    except PrunedError:
        return False
    except TeachonceError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise TrialError("out of memory", "Use a smaller batch_size") from error
        raise TrialError(f"unexpected {type(error).__name__}: {error}") from error
    return True


def _release() -> None:
    """Give the trial's memory back: the next one may be larger."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    give_back()


def main() -> None:
    """Train what comes in until nothing comes any more."""
    keep_freed()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGTERM, _interrupt)
    inbox: SimpleQueue[Any] = SimpleQueue()
    connection = Connection(int(sys.argv[1]))
    threading.Thread(target=_listen, args=(connection, inbox), daemon=True).start()
    try:
        _serve(connection, inbox)
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(1)  # the last checkpoint is whole; whatever threads are at is of no use to anybody


def _serve(connection: Connection, inbox: "SimpleQueue[Any]") -> None:
    facts = Facts()

    def ask(kind: str, content: object) -> Any:
        connection.send((kind, content))
        return inbox.get()

    options = inbox.get()
    while True:
        try:
            end: bool | TeachonceError = train_trial(options, facts, ask)
        except TeachonceError as error:
            end = error
        _release()
        options = ask("end", end)


def _listen(connection: Connection, inbox: "SimpleQueue[Any]") -> None:
    """Hand messages on; where whoever sends them is gone, so are we."""
    with suppress(EOFError, OSError):
        while True:
            inbox.put(connection.recv())
    os.kill(os.getpid(), signal.SIGTERM)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()

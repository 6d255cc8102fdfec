"""The program that trains trials one after another: started once, so that its imports are paid for once.

It speaks in lines of JSON: in come the options of a training, then after each epoch whether to go on; out go the
epochs, warnings, and how the training ended.
"""

import gc
import json
import os
import queue
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from types import FrameType
from typing import Any, NoReturn, TextIO

from teachonce.errors import NonFiniteError, TeachonceError, is_out_of_memory
from teachonce.events import Silent
from teachonce.heap import give_back, keep_freed
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.judge import train_options
from teachonce.pipeline.steps import Step
from teachonce.processwide import limited_threads
from teachonce.records import to_json

Message = dict[str, Any]


class PrunedError(Exception):
    """The search does not want more epochs of this training."""


class _Reporter(Silent):
    """Tells the search of each epoch, and ends the training where it has seen enough.

    Args:
        is_enough: Takes the metrics of an epoch.
        warned: Takes warnings.
    """

    def __init__(self, is_enough: Callable[[Mapping[str, Any]], bool], warned: Callable[[str], None]) -> None:
        self._is_enough, self._warned = is_enough, warned

    def epoch(self, entry: Mapping[str, Any]) -> None:
        if self._is_enough(entry):
            raise PrunedError

    def warn(self, text: str) -> None:
        self._warned(text)


def train_trial(
    options: Mapping[str, Any],
    facts: Facts,
    is_enough: Callable[[Mapping[str, Any]], bool],
    warned: Callable[[str], None],
) -> Message:
    """Train a trial, or go on with it, until it is done or the search has seen enough.

    Args:
        options: Of the training, as in `Step`.
        facts: Where its data is opened once for all trials.
        is_enough: Takes the metrics of each epoch, also of those that an earlier process trained.
        warned: Takes warnings.

    Returns:
        `{"end": "done", "result": ..}`, `{"end": "pruned"}`, or `{"end": "failed", "kind", "message", "mend"}` where
        this training cannot be done but others may.

    Raises:
        TeachonceError: What would stop every trial.
    """
    from teachonce.engine.metrics import read_metrics
    from teachonce.stages.train import run_training

    step = Step(name="trial", verb="train", options=options)
    config = train_options(step)
    try:
        for entry in read_metrics(config.out):
            if is_enough(to_json(entry)):
                return {"end": "pruned"}
        with limited_threads(options.get("threads")):
            result = run_training(config, facts.samples(step.options), _Reporter(is_enough, warned))
    except PrunedError:
        return {"end": "pruned"}
    except NonFiniteError as error:
        return {"end": "failed", "kind": error.kind, "message": error.message, "mend": error.mend}
    except TeachonceError:
        raise
    except Exception as error:  # noqa: BLE001  (a trial that breaks is recorded; the others go on)
        return {"end": "failed", **_unexpected(error)}
    return {"end": "done", "result": asdict(result)}


def _unexpected(error: Exception) -> Message:
    if is_out_of_memory(error):
        return {"kind": "memory", "message": "out of memory", "mend": "Use a smaller batch_size"}
    return {"kind": "unexpected", "message": f"unexpected {type(error).__name__}: {error}", "mend": ""}


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
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no message
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGTERM, _interrupt)
    inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(inbox,), daemon=True).start()
    try:
        _serve(inbox, out)
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(1)  # the last checkpoint is whole; whatever threads are at is of no use to anybody


def _serve(inbox: "queue.SimpleQueue[Message]", out: TextIO) -> None:
    facts = Facts()

    def send(message: Message) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    def is_enough(entry: Mapping[str, Any]) -> bool:
        send({"epoch": dict(entry)})
        return bool(inbox.get()["enough"])

    while True:
        options = inbox.get()
        try:
            send(train_trial(options, facts, is_enough, lambda text: send({"warning": text})))
        except TeachonceError as error:
            send({"end": "stopped", "kind": error.kind, "message": error.message, "mend": error.mend})
        _release()


def _listen(inbox: "queue.SimpleQueue[Message]") -> None:
    """Hand messages on; where whoever sends them is gone, so are we."""
    for line in sys.stdin:
        inbox.put(json.loads(line))
    os.kill(os.getpid(), signal.SIGTERM)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()

"""Evaluate: a trained run on data it has not seen, or what the cached embeddings of a store are worth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from teachonce.cache.store import Store, open_store
from teachonce.data.open import opened_samples
from teachonce.data.resident import open_images
from teachonce.data.samples import Samples
from teachonce.engine.cached_target import as_tensor, has_targets
from teachonce.engine.classes import labels_for
from teachonce.engine.datacheck import check_data, tell_unproven
from teachonce.engine.device import autocast, pick_device, pick_precision
from teachonce.engine.evalfile import data_content, was_trained_on, write_evaluation
from teachonce.engine.feed import Feed, cut
from teachonce.engine.records import ClassAccuracy, EvaluateRunResult, RunRecord
from teachonce.engine.rows import all_digests
from teachonce.engine.runfile import read_result, read_run
from teachonce.engine.score import Scores, score
from teachonce.engine.split import split_rows
from teachonce.engine.views import EpochViews
from teachonce.engine.worth import linear_top1, neighbour_top1
from teachonce.errors import DataError, DiskError, InputError, NonFiniteError, StoreMissingError
from teachonce.events import SILENT, Events
from teachonce.intervals import packed
from teachonce.models.students import load_student
from teachonce.options.evaluate import EvaluateOptions
from teachonce.options.verb import verb
from teachonce.processwide import allow_tf32, current


@dataclass(frozen=True, kw_only=True)
class EvaluateStoreResult:
    """What embeddings are worth. Shares are in [0, 1]."""

    store: str
    target: str
    knn_top1: float
    linear_top1: float
    rows: int
    """Held-out rows that were classified."""
    train_rows: int


@verb(EvaluateOptions)
def evaluate(options: EvaluateOptions, events: Events) -> EvaluateRunResult | EvaluateStoreResult:
    """Evaluate a run on data, or a store on its own held-out rows.

    The result of a run is kept in its folder as evaluation.json, which `report`, `plot` and `run` read: the last one,
    with the digests of its weights and data. It is not kept where the data is what the run was trained on.

    Raises:
        InputError: Not one of run and store, or a setting that cannot be used.
        DataError: The data, or the store, has no labels.
        StoreMissingError: No such run or store, or no embeddings in it.
        UnsealedError: The store is not finished.
        MismatchError: The data has rows of a class that the run lacks, or is not the store's.
    """
    wrong = options.usage()
    if wrong is not None:
        raise InputError(wrong[1], f"Check {wrong[0]}")
    samples = None
    if options.data is not None:
        samples = opened_samples(options, events, prefer="test" if options.store is None else "train")
    if options.store is not None:
        opened = open_store(options.store)
        if samples is not None:
            check_data(opened, samples, every=False, events=events)
        tell_unproven(opened, [options.target], events)
        return _evaluate_store(opened, options, events)
    assert options.run is not None
    assert samples is not None
    result = evaluate_run(options, samples, events)
    _keep(options.run, samples, result, events)
    return result


def _keep(run: Path, samples: Samples, result: EvaluateRunResult, events: Events) -> None:
    """Write evaluation.json, but not of the data that the run was trained on; a full disk loses no result."""
    digests = all_digests(samples, events)
    if was_trained_on(_student_run(run), samples, digests):
        events.warn(f"{run} was trained on this data: the result is shown here, but not in reports")
        return
    try:
        write_evaluation(run, data_content(samples, digests), result)
    except DiskError as error:
        events.warn(f"this result will not be in reports: {error}")


def evaluate_run(options: EvaluateOptions, samples: Samples, events: Events = SILENT) -> EvaluateRunResult:
    """Evaluate a run on data, and write nothing; see `evaluate`.

    Args:
        options: With `run`; what they say of data, and of a store, is not looked at.
        samples: The data.
        events: Who watches.

    Raises:
        DataError: The data has no labels, or no row of it could be decoded.
        NonFiniteError: The student gives NaN or infinity.
        StoreMissingError: There is no such run.
        MismatchError: The data has rows of a class that the run lacks.
    """
    assert options.run is not None
    where, run = pick_device(options.device), options.run
    known = _student_run(run)
    labels = labels_for(f"run {run}", known.classes, known.class_names, samples, events)
    if read_result(run) is None:
        events.warn(f"{run} is not finished: its best student so far is evaluated")
    network = load_student(run, student=options.student, trust_remote_code=options.trust_remote_code).to(where)
    images = open_images(samples, device=where, workers=options.workers, rule=known.resizing, events=events)
    views = EpochViews(images.sizes, known.view, stored=None, augment=None, seed=0)
    usable = labels >= 0
    usable[list(images.failed)] = False
    rows = np.flatnonzero(usable)
    if not len(rows):
        raise DataError("no row has a label and could be decoded", "Choose other data")
    if len(rows) < samples.rows:
        events.warn(f"{samples.rows - len(rows)} rows are left out: they could not be decoded, or have no label")
    feed = Feed(images, labels, views, student=network.input, teacher=None, device=where)
    batches = feed.batches(cut(rows, options.batch_size, drop_last=False), None)
    with current(where), allow_tf32(allowed=False):
        scores = score(network, batches, partial(autocast, where, pick_precision(options.precision, where)))
    if not math.isfinite(scores.loss):
        raise NonFiniteError(f"the outputs of the student of {run} are NaN or infinite", "Train the run again")
    return EvaluateRunResult(
        run=str(run),
        top1=scores.top1,
        top5=scores.top5,
        loss=scores.loss,
        rows=scores.rows,
        left_out=samples.rows - len(rows),
        per_class=_per_class(scores, known.class_names),
        correct=packed(scores.correct.tolist()),
    )


def _student_run(run: Path) -> RunRecord:
    known = read_run(run)
    if not isinstance(known, RunRecord):
        raise StoreMissingError(f"there is no run at {run}", "Check the path, or make the run with `teachonce train`")
    return known


def _per_class(scores: Scores, names: Sequence[str] | None) -> tuple[ClassAccuracy, ...]:
    entries = zip(scores.class_rows, scores.class_top1, strict=True)
    return tuple(
        ClassAccuracy(name=names[index] if names else index, rows=rows, top1=top1)
        for index, (rows, top1) in enumerate(entries)
    )


def _evaluate_store(store: Store, options: EvaluateOptions, events: Events) -> EvaluateStoreResult:
    target, device = options.target, pick_device(options.device)
    labels = store.labels().astype(np.int64)
    usable = (labels >= 0) & has_targets(store, target)
    if not usable.any():
        raise DataError(f"{store.path} has no labels", "Make the store from data with labels (--label-column)")
    train, val = (rows[usable[rows]] for rows in split_rows(store.digests(), options.seed, options.val_fraction))
    if not len(train) or not len(val):
        mend = "Use a store of more rows, or another --val-fraction"
        raise DataError(f"{store.path} has {len(train)} rows to fit on and {len(val)} to classify", mend)
    features = as_tensor(store.target(target).all("image_embedding", 0)).float()
    known, asked = features[torch.from_numpy(train)], features[torch.from_numpy(val)]
    knn = neighbour_top1(
        known.to(device),
        torch.from_numpy(labels[train]).to(device),
        asked.to(device),
        torch.from_numpy(labels[val]).to(device),
        neighbours=options.neighbours,
        classes=int(labels.max()) + 1,
    )
    linear = linear_top1(known.numpy(), labels[train], asked.numpy(), labels[val], events)
    return EvaluateStoreResult(
        store=str(store.path),
        target=target,
        knn_top1=knn,
        linear_top1=linear,
        rows=len(val),
        train_rows=len(train),
    )

"""Evaluate: a trained run on data it has not seen, or what the cached embeddings of a store are worth."""

import math
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from teachonce.cache.store import Store, open_store
from teachonce.data.open import open_samples
from teachonce.data.resident import open_images
from teachonce.data.samples import Samples
from teachonce.engine.cached import as_tensor, has_targets
from teachonce.engine.device import autocast, pick_device, pick_precision
from teachonce.engine.evalfile import data_identity, was_trained_on, write_evaluation
from teachonce.engine.feed import Feed, cut
from teachonce.engine.guard import check_data, labels_for, tell_unproven
from teachonce.engine.rows import all_digests
from teachonce.engine.runfile import read_result, read_run, run_rule
from teachonce.engine.score import Scores, score
from teachonce.engine.split import split_rows
from teachonce.engine.views import EpochViews
from teachonce.engine.worth import linear_top1, neighbour_top1
from teachonce.errors import DataError, DiskError, InputError, NonFiniteError, StoreMissingError
from teachonce.events import SILENT, Events
from teachonce.intervals import packed
from teachonce.models.students import load_student
from teachonce.processwide import allow_tf32, current
from teachonce.types import EvalView


@dataclass(frozen=True, kw_only=True)
class EvaluateRunResult:
    """How good a student is. Shares are in [0, 1]."""

    run: str
    top1: float
    top5: float
    loss: float
    """Mean cross-entropy in nats."""
    rows: int
    left_out: int
    """Rows that could not be decoded, or have no label."""
    per_class: list[dict[str, Any]]
    """`class` (name or number), `rows`, `top1` (None without rows)."""
    correct: str
    """A bit for each of `rows`, in the order of the data: whether it was right (see `intervals.packed`)."""


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


def evaluate(  # noqa: PLR0913 - one parameter an option
    *,
    run: str | Path | None = None,
    store: str | Path | None = None,
    data: str | Path | Samples | None = None,
    target: str = "teacher",
    split: str | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    key_column: str | None = None,
    limit: int | None = None,
    neighbours: int = 20,
    val_fraction: float = 0.1,
    batch_size: int = 256,
    precision: str = "auto",
    device: str | None = None,
    workers: int | None = None,
    seed: int = 0,
    student: str | None = None,
    trust_remote_code: bool = False,
    events: Events = SILENT,
) -> EvaluateRunResult | EvaluateStoreResult:
    """Evaluate a run on data, or a store on its own held-out rows.

    The result of a run is kept in its folder as evaluation.json, which `report`, `plot` and `run` read: the last one,
    with the digests of its weights and data. It is not kept where the data is what the run was trained on.

    Args:
        run: Folder of a run: its best student is evaluated, on the run's evaluation view.
        store: Folder of a store; its view 0 is evaluated, on the rows that would validate in `train`.
        data: For a run: what to evaluate on. For a store: its data, compared with it where given.
        target: The store's target.
        split: Which split; None: `test` for a run, `train` for a store.
        image_column: The column of images.
        label_column: The column of labels.
        key_column: A column that identifies the rows.
        limit: The first so many rows.
        neighbours: k of the nearest-neighbour vote.
        val_fraction: The share of the store's rows that is held out.
        batch_size: Rows at once.
        precision: `float32`, `bf16` (autocast), or `auto`: bf16 on a GPU.
        device: `cpu`, `cuda`, `cuda:1`; None: the GPU where there is one.
        workers: Workers that decode; None: by the processors.
        seed: Of the split of the store's rows.
        student: Of a run whose student is a factory: that factory, named again.
        trust_remote_code: Allow the run to name code that is run.
        events: Who watches.

    Raises:
        InputError: Not one of run and store, or a setting that cannot be used.
        DataError: The data, or the store, has no labels.
        StoreMissingError: No such run or store, or no embeddings in it.
        UnsealedError: The store is not finished.
        MismatchError: The data has rows of a class that the run lacks, or is not the store's.
    """
    if (run is None) == (store is None):
        raise InputError("expected one of a run and a store", "Give --run or --store")
    if neighbours < 1 or batch_size < 1:
        raise InputError("neighbours and batch_size must be at least 1", "Give other numbers")
    if isinstance(data, str | Path):
        data = open_samples(
            str(data),
            split=split,
            prefer="test" if store is None else "train",
            image_column=image_column,
            label_column=label_column,
            key_column=key_column,
            limit=limit,
            events=events,
        )
    where = pick_device(device)
    if store is not None:
        opened = open_store(store)
        if data is not None:
            check_data(opened, data, every=False, events=events)
        tell_unproven(opened, [target], events)
        return _evaluate_store(opened, target, where, neighbours, val_fraction, seed, events)
    if data is None:
        raise InputError("a run is evaluated on data, and none was given", "Add --data D")
    assert run is not None
    result = evaluate_run(
        Path(run),
        data,
        batch_size=batch_size,
        precision=precision,
        device=device,
        workers=workers,
        student=student,
        trust_remote_code=trust_remote_code,
        events=events,
    )
    _keep(Path(run), data, result, events)
    return result


def _keep(run: Path, samples: Samples, result: EvaluateRunResult, events: Events) -> None:
    """Write evaluation.json, but not of the data that the run was trained on; a full disk loses no result."""
    digests = all_digests(samples, events)
    if was_trained_on(read_run(run) or {}, samples, digests):
        events.warn(f"{run} was trained on this data: the result is shown here, but not in reports")
        return
    try:
        write_evaluation(run, data_identity(samples, digests), asdict(result))
    except DiskError as error:
        events.warn(f"this result will not be in reports: {error}")


def evaluate_run(  # noqa: PLR0913 - one parameter an option
    run: Path,
    samples: Samples,
    *,
    batch_size: int = 256,
    precision: str = "auto",
    device: str | None = None,
    workers: int | None = None,
    student: str | None = None,
    trust_remote_code: bool = False,
    events: Events = SILENT,
) -> EvaluateRunResult:
    """Evaluate a run on data, and write nothing; see `evaluate`.

    Raises:
        DataError: The data has no labels, or no row of it could be decoded.
        NonFiniteError: The student gives NaN or infinity.
        StoreMissingError: There is no such run.
        MismatchError: The data has rows of a class that the run lacks.
    """
    where = pick_device(device)
    description = read_run(run)
    if description is None or "rdms" in description:
        raise StoreMissingError(f"there is no run at {run}", "Check the path, or make the run with `teachonce train`")
    labels = labels_for(f"run {run}", description["classes"], description["class_names"], samples, events)
    if read_result(run) is None:
        events.warn(f"{run} is not finished: its best student so far is evaluated")
    network = load_student(run, student=student, trust_remote_code=trust_remote_code).to(where)
    images = open_images(samples, device=where, workers=workers, rule=run_rule(description), events=events)
    rule = EvalView.from_json(description["view"])
    views = EpochViews(images.sizes, rule, stored=None, augment=None, seed=0)
    usable = labels >= 0
    usable[list(images.failed)] = False
    rows = np.flatnonzero(usable)
    if not len(rows):
        raise DataError("no row has a label and could be decoded", "Choose other data")
    if len(rows) < samples.rows:
        events.warn(f"{samples.rows - len(rows)} rows are left out: they could not be decoded, or have no label")
    feed = Feed(images, labels, views, student=network.input, teacher=None, device=where)
    batches = feed.batches(cut(rows, batch_size, drop_last=False), None)
    with current(where), allow_tf32(allowed=False):
        scores = score(network, batches, partial(autocast, where, pick_precision(precision, where)))
    if not math.isfinite(scores.loss):
        raise NonFiniteError(f"the outputs of the student of {run} are NaN or infinite", "Train the run again")
    return EvaluateRunResult(
        run=str(run),
        top1=scores.top1,
        top5=scores.top5,
        loss=scores.loss,
        rows=scores.rows,
        left_out=samples.rows - len(rows),
        per_class=_per_class(scores, description["class_names"]),
        correct=packed(scores.correct.tolist()),
    )


def _per_class(scores: Scores, names: list[str] | None) -> list[dict[str, Any]]:
    entries = zip(scores.class_rows, scores.class_top1, strict=True)
    return [
        {"class": names[index] if names else index, "rows": rows, "top1": top1}
        for index, (rows, top1) in enumerate(entries)
    ]


def _evaluate_store(
    store: Store, target: str, device: torch.device, neighbours: int, fraction: float, seed: int, events: Events
) -> EvaluateStoreResult:
    labels = store.labels().astype(np.int64)
    usable = (labels >= 0) & has_targets(store, target)
    if not usable.any():
        raise DataError(f"{store.path} has no labels", "Make the store from data with labels (--label-column)")
    train, val = (rows[usable[rows]] for rows in split_rows(store.digests(), seed, fraction))
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
        neighbours=neighbours,
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

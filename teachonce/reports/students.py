"""Embeddings of trained students on the rows of a store, if its data can be opened again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from teachonce.cache.store import Store
from teachonce.data.open import open_samples
from teachonce.data.resident import open_images
from teachonce.data.samples import Samples
from teachonce.data.sources import BUILT_IN, parse_spec
from teachonce.engine.datacheck import check_data
from teachonce.engine.feed import Feed, cut
from teachonce.engine.stage_one.runs import run_lines
from teachonce.engine.views import EpochViews
from teachonce.errors import DataError, TeachonceError
from teachonce.models.students import load_student
from teachonce.plots.runs import Run
from teachonce.plots.tsne import Embedder
from teachonce.reports.stores import data_description

_BATCH = 256


def store_samples(store: Store, runs: tuple[Run, ...]) -> Samples:
    """The data of a store, from the recorded path; nothing is downloaded.

    Args:
        store: Its samples are compared with the data.
        runs: Their recorded commands may contain the path.

    Raises:
        DataError: It cannot be opened, or has changed.
    """
    description = data_description(store)
    keys = ("split", "image_column", "label_column", "key_column")
    options: dict[str, Any] = {key: str(description[key]) for key in keys if description.get(key)}
    for place in dict.fromkeys(_places(str(description.get("source", "")), store, runs)):
        try:
            samples = open_samples(place, limit=store.spec.rows, **options)
            check_data(store, samples, every=False)
        except TeachonceError:
            continue
        return samples
    message = f"the data of {store.path} ({description.get('source')}) could not be opened again"
    raise DataError(message, "The report leaves its students out of the maps")


def _places(source: str, store: Store, runs: tuple[Run, ...]) -> Iterator[str]:
    """Candidate paths of the data; local ones only."""
    if source.partition(":")[0] in BUILT_IN:
        yield source
    commands = [line.command for line in run_lines(store.path)]
    for words in (*commands, *(run.record.command for run in runs)):
        if isinstance(words, list | tuple) and "--data" in words[:-1]:
            spec = str(words[words.index("--data") + 1])
            kind, place = parse_spec(spec)
            if kind in BUILT_IN or Path(place).exists():
                yield spec


def embedder(run: Run, samples: Samples) -> Embedder:
    """A function that embeds rows of the data with the best student of a run, on the evaluation view.

    Returns:
        Rows int64 (n,) -> float32 (n, D).
    """
    student = load_student(run.folder).eval()
    device = torch.device("cpu")

    def embed(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        images = open_images(samples, device=device, rows=rows, workers=1, rule=run.record.resizing)
        views = EpochViews(images.sizes, run.record.view, stored=None, augment=None, seed=0)
        labels = np.zeros(samples.rows, np.int32)
        feed = Feed(images, labels, views, student=student.input, teacher=None, device=device)
        with torch.inference_mode():
            parts = [
                student.embed(batch.inputs["image"]) for batch in feed.batches(cut(rows, _BATCH, drop_last=False), None)
            ]
        return torch.cat(parts).float().numpy()

    return embed

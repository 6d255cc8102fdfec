"""A store with all that one may hold, and what has to come of it when its bytes are not what they were."""

import functools
import shutil
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from teachonce.cache import open_store
from teachonce.cache.audit import find_problems
from teachonce.data.decode import DecodeError
from teachonce.data.samples import ArraySamples
from teachonce.digests import digest_hex
from teachonce.errors import StoreError
from teachonce.stages.embed import embed
from teachonce.stages.rdm import rdm
from teachonce.stages.train import train
from tests.forks import forked
from tests.soak.trial import Trial, refusal
from tests.soak.works import DATA, TEACHER, VIEWS, differences, temporaries
from tests.stages.embedding import options

RDM = "rdm-50"
METHODS: dict[str, dict[str, Any]] = {"kd": {}, "clip-embed-kd": {}, "cifd": {"rdm": RDM}}
"""Together they read every target, the class means and the head."""
SOUND = "whole.zarr"
GONE = 77


class OneFails(ArraySamples):
    """Samples of which one is missing."""

    def digest(self, row: int) -> int:
        return 0 if row == GONE else super().digest(row)

    def decode(self, row: int) -> np.ndarray:
        if row == GONE:
            raise DecodeError("missing")
        return super().decode(row)


SAMPLES = OneFails(DATA.images, DATA.labels, DATA.class_names, DATA.description)


def run_embed(store: Path, **changes: Any) -> None:
    embed(teacher=TEACHER, data=SAMPLES, **options(store, max_failed=1, per_class=5, **VIEWS, **changes))


def run_rdm(store: Path, **changes: Any) -> None:
    rdm(store=store, distortion_weight=50, epochs=1, batch_size=32, device="cpu", **changes)


def run_train(store: Path, out: Path, method: str) -> dict[str, str]:
    """Train shortly; the digests of the weights."""
    train(
        data=SAMPLES, store=store, out=out, method=method, student="cnn-2", image_size=16, epochs=1, batch_size=32,
        val_fraction=0.2, device="cpu", workers=0, **METHODS[method],
    )  # fmt: skip
    return {file.name: digest_hex(file.read_bytes()) for file in sorted((out / "best").glob("*.safetensors"))}


def prepare(sound: Path) -> Path:
    """Make the sound store, once: a teacher with head and class means, an RDM, two views, a failed row."""
    store = sound / SOUND
    if not store.exists():
        run_embed(store)
        run_rdm(store)
        assert open_store(store).verify() == [RDM, "teacher"]
    return store


@functools.cache
def weights(sound: Path) -> dict[str, dict[str, str]]:
    """What each method learns from the sound store."""
    store = prepare(sound)

    def learn(method: str) -> Any:
        return forked(partial(run_train, store, sound / "learnt" / method, method)).must()

    return {method: learn(method) for method in METHODS}


def tried(what: str, sound: Path, place: Path, methods: Collection[str] = tuple(METHODS)) -> Trial:
    """A damaged copy `place/s.zarr` of the sound store: found, not trained on, and mended or refused."""
    store = place / "s.zarr"
    if not differences(store, sound / SOUND):
        return Trial(what, "nothing was damaged")
    if not problems(store):
        return Trial(what, "not found", "verify finds nothing")
    if harm := learnt(sound, store, place, methods):
        return Trial(what, "trained", harm)
    return mended(what, sound, store)


def learnt(sound: Path, store: Path, place: Path, methods: Collection[str] = tuple(METHODS)) -> str:
    """Train from a damaged store: an error of ours, or the weights of the sound one; what else comes of it."""
    for method in methods:
        ended = forked(partial(run_train, store, place / method, method))
        if harm := refusal(ended):
            return f"{method}: {harm}"
        if not ended.kind and ended.value != weights(sound)[method]:
            return f"{method} learnt other weights"
    return ""


def problems(store: Path) -> list[str]:
    """What `verify` says."""
    try:
        return [problem.kind for problem in find_problems(store)]
    except StoreError as error:
        return [error.kind]


def mended(what: str, sound: Path, store: Path) -> Trial:
    """Repair: the bytes of the sound store, or one line; an RDM whose weights are lost is trained anew."""
    how = "found, mended by --repair"
    for run in (run_embed, run_rdm):
        ended = forked(partial(run, store, repair=True))
        if ended.kind and not refusal(ended) and run is run_rdm:
            for folder in ("targets", "journal", "classes"):
                shutil.rmtree(store / folder / RDM, ignore_errors=True)
            how, ended = "found, --repair refused the RDM, which was trained anew", forked(partial(run, store))
        if harm := refusal(ended):
            return Trial(what, "repair", harm)
        if ended.kind:
            return Trial(what, f"found, --repair refused ({ended.kind})")
    if wrong := differences(store, sound / SOUND) + temporaries(store):
        return Trial(what, "other bytes", f"{how}, differ: {wrong[:5]}")
    return Trial(what, how)

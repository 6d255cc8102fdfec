"""The two invariants for targets beside the main one: RDMs against live RDMs, assistants against their own models.

The elements and the training of `cifd`, `dgkd` and a link of TAKD; any target shifted by a row must be seen.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from teachonce.cache.writer import TargetWriter
from teachonce.engine.cached import CachedTargets
from teachonce.engine.live import LiveTargets, live_spec, rdm_spec
from teachonce.engine.rdm.stored import load_rdm
from teachonce.engine.targets import TargetSource
from teachonce.methods.base import make_method
from teachonce.methods.method import Method
from teachonce.models.teacher import Teacher
from teachonce.signals import Needs, needs
from teachonce.stages.embed import embed
from teachonce.types import ArraySpec
from tests.engine.enginekit import BLOCK, VIT, digits, make_store, make_teacher, shift
from tests.engine.rdmkit import add_rdm
from tests.signalkit import Renamed, Together
from tests.test_equivalence import CPU, STUDENTS, Pair, check_gradients, check_tensor, fetched, gradients

RDMS = ("rdm-10", "rdm-5", "rdm-1")
ASSISTANTS = ("assistant-2", "assistant-1")
EXTRAS = {"cifd": RDMS, "dgkd": ASSISTANTS}
BOTH = needs("image_embedding", "logits")


class PairWithExtras(Pair):
    """A store with RDMs and assistants, and the models that made them."""

    assistants: dict[str, Teacher]

    def cached_all(self, method: Method, *, shifted: Sequence[str] = ()) -> TargetSource:
        stored = {name: f"shifted-{name}" if name in shifted else name for name in method.extras}
        stored = {"teacher": "shifted" if "teacher" in shifted else "teacher"} | stored
        reads = method.reads({name: self.store.sealed(place).spec for name, place in stored.items()})
        of_store = {stored[name]: signals for name, signals in reads.items()}
        source = CachedTargets(self.store, of_store, device=CPU, budget_bytes=1 << 30)
        return Renamed(source, {place: name for name, place in stored.items()})

    def live_all(self, method: Method, *, cast: bool) -> TargetSource:
        dtype = self.dtype if cast else None
        if method.name == "dgkd":
            teachers = {"teacher": self.teacher} | {name: self.assistants[name] for name in method.extras}
            return Together({name: self.model(teacher, method.needs, dtype) for name, teacher in teachers.items()})
        rdms = {name: load_rdm(self.store, name) for name in method.extras}
        spec = replace(live_spec(self.teacher, 200, self.store.spec.views), name="teacher")
        reads = method.reads({"teacher": spec} | {name: rdm_spec(name, rdm, spec) for name, rdm in rdms.items()})
        return LiveTargets(self.teacher, spec, reads, rdms=rdms, stored=self.dtype, dtype=dtype)

    def model(self, teacher: Teacher, signals: Needs, dtype: torch.dtype | None) -> LiveTargets:
        spec = live_spec(teacher, 200, self.store.spec.views)
        return LiveTargets(teacher, spec, {"live": signals}, dtype=dtype)


@pytest.fixture(
    scope="module", params=[("float16", 2), ("bfloat16", 1), ("float32", 1)], ids=lambda p: f"{p[0]}-{p[1]}"
)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> PairWithExtras:
    dtype, views = request.param
    teacher = make_teacher(VIT)
    store = make_store(tmp_path_factory.mktemp("extras") / "s.zarr", teacher=teacher, dtype=dtype, views=views)
    shift(store)
    for seed, name in enumerate(RDMS):
        preset = "cnn" if name == "rdm-5" else "general"
        add_rdm(store, name, seed=seed, preset=preset)
        add_rdm(store, f"shifted-{name}", seed=seed, preset=preset, shifted=1)
    made = PairWithExtras(store, teacher, "vit", dtype)
    made.assistants = {name: make_teacher(VIT, seed=seed) for seed, name in enumerate(ASSISTANTS, 1)}
    for name, model in made.assistants.items():
        common = {"store": store.path, "dtype": dtype, "block_rows": BLOCK, "batch_size": BLOCK, "device": "cpu"}
        views_of = {"views": views, "augment": "crop=0.5,flip" if views > 1 else None}
        embed(teacher=model, data=digits(), name=name, workers=0, **views_of, **common)
        copy_shifted(made, name)
    return made


def copy_shifted(pair: Pair, name: str) -> None:
    """A target `shifted-NAME`, each row of which holds what belongs to its neighbour."""
    store, reader = pair.store, pair.store.target(name)
    specs = {array: ArraySpec(shape=spec.shape[2:], dtype=spec.dtype) for array, spec in reader.spec.arrays.items()}
    writer = TargetWriter(
        store, f"shifted-{name}", kind="classifier", fingerprint={}, settings={}, info={}, arrays=specs
    )
    with writer:
        for block in range(store.blocks):
            rows = (np.arange(*store.block_range(block)) - 1) % store.spec.rows
            parts = {a: np.stack([reader.read(a, rows, v) for v in range(store.spec.views)], 1) for a in specs}
            writer.commit(block, parts, np.ones(len(rows), np.uint8), {})
        writer.seal(labels=None, classes=None, per_class=None, max_failed=0)


def check_elements(pair: PairWithExtras, method: Method, shifted: Sequence[str] = ()) -> None:
    method.needs = BOTH
    cached, live = pair.cached_all(method, shifted=shifted), pair.live_all(method, cast=False)
    for rows in pair.blocks():
        for view in range(pair.store.spec.views):
            images = pair.pixels(rows, view)
            ours, theirs = fetched(cached, rows, view, images), fetched(live, rows, view, images)
            assert ours.keys() == theirs.keys()
            assert {target for target, _ in ours} == {"teacher", *method.extras}
            for place in ours:
                check_tensor(ours[place], theirs[place], pair.dtype)


def check_training(pair: PairWithExtras, name: str, student: str, shifted: Sequence[str] = ()) -> None:
    def arm(source: str) -> tuple[TargetSource, Method]:
        method = make_method(name, {"drop": 0} if name == "dgkd" else {"kd_dropout": 0}, EXTRAS[name])
        live = source == "live"
        return (pair.live_all(method, cast=True) if live else pair.cached_all(method, shifted=shifted)), method

    check_arms(pair, arm("cached"), arm("live"), student)


def check_link(pair: PairWithExtras, student: str, stored: str) -> None:
    """A link of TAKD is kd from an assistant: its outputs in the store against the assistant itself."""
    ours, theirs = make_method("kd"), make_method("kd")
    cached = pair.cached(stored, ours.needs)
    live = pair.model(pair.assistants[ASSISTANTS[0]], theirs.needs, pair.dtype)
    check_arms(pair, (cached, ours), (live, theirs), student)


def check_arms(
    pair: PairWithExtras, ours: tuple[TargetSource, Method], theirs: tuple[TargetSource, Method], student: str
) -> None:
    for rows, view in ((pair.blocks()[0], 0), (pair.blocks()[2], pair.store.spec.views - 1)):
        first, second = (gradients(pair, source, method, student, rows, view) for source, method in (ours, theirs))
        check_gradients(first, second)


@pytest.mark.parametrize("name", EXTRAS)
def test_every_cached_element_is_the_live_one(pair: PairWithExtras, name: str):
    check_elements(pair, make_method(name, {}, EXTRAS[name]))


@pytest.mark.parametrize("name", EXTRAS)
def test_a_target_shifted_by_one_row_fails_elementwise(pair: PairWithExtras, name: str):
    for each in ("teacher", *EXTRAS[name]):
        with pytest.raises(AssertionError, match="units in the last place"):
            check_elements(pair, make_method(name, {}, EXTRAS[name]), shifted=[each])


@pytest.mark.parametrize("name", EXTRAS)
@pytest.mark.parametrize("student", STUDENTS.values(), ids=STUDENTS)
def test_loss_and_gradients_agree(pair: PairWithExtras, name: str, student: str):
    check_training(pair, name, student)


@pytest.mark.parametrize("name", EXTRAS)
def test_a_target_shifted_by_one_row_fails_in_training(pair: PairWithExtras, name: str):
    for each in ("teacher", *EXTRAS[name]):
        with pytest.raises(AssertionError, match="differs by"):
            check_training(pair, name, STUDENTS["vit"], shifted=[each])


@pytest.mark.parametrize("student", STUDENTS.values(), ids=STUDENTS)
def test_loss_and_gradients_of_takd_agree(pair: PairWithExtras, student: str):
    check_link(pair, student, ASSISTANTS[0])
    with pytest.raises(AssertionError, match="differs by"):
        check_link(pair, student, f"shifted-{ASSISTANTS[0]}")


def test_what_differs_by_sample_is_read(pair: PairWithExtras):
    """Random RDMs would prove nothing if they gave the same for every row."""
    for name in (*RDMS, *ASSISTANTS):
        logits = pair.store.target(name).all("logits")
        assert len(np.unique(logits, axis=0)) > 150

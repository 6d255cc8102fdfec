"""What carries the whole project: a cached target is what the live teacher would have given, and trains alike.

For each method, each stored dtype, one view and two drawn ones: every cached element is within one unit in the last
place of the live one, and with live targets cast to the stored dtype the loss and every gradient agree to 1e-6. A store
whose rows are shifted by one must fail both, or the tests would prove nothing. The student of each is drawn by a seed.
"""

from functools import cached_property
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from teachonce.cache.classes import chosen_rows
from teachonce.cache.store import Store
from teachonce.data.resident import ImageSource, open_images
from teachonce.engine.cached import CachedTargets
from teachonce.engine.live import LiveTargets, live_class_means, live_spec
from teachonce.engine.targets import BatchRows, TargetSource
from teachonce.methods import Method, make_method, total
from teachonce.methods.targets import Targets
from teachonce.models.precision import TORCH_DTYPES
from teachonce.models.students import build_student
from teachonce.models.teacher import Teacher
from teachonce.options.methods import METHODS
from teachonce.signals import Needs, needs
from tests.drawn import some
from tests.engine.enginekit import BLOCK, DTYPES, VIT, digits, make_store, make_teacher, shift

CPU = torch.device("cpu")
EVERYTHING = needs("image_embedding", "logits", "class_mean")
METHODS_WITH_TEACHER = sorted(n for n, method in METHODS.items() if method.needs and not method.needs_extras)
SIZE = 16
STUDENTS = {"vit": "vit:patch=8,width=16,layers=1,heads=2", "cnn": "cnn-2"}


class Pair:
    """A store and the teacher that made it."""

    def __init__(self, store: Store, teacher: Teacher, name: str, dtype: str) -> None:
        self.store, self.teacher, self.name, self.dtype = store, teacher, name, DTYPES[dtype]
        self.samples = digits()
        self.images: ImageSource = open_images(self.samples, device=CPU, workers=0)
        self.params = store.view_params()

    def blocks(self) -> list[np.ndarray]:
        """The partition that the teacher pass had: float noise of another batch shape stays out."""
        return [np.arange(*self.store.block_range(block)) for block in range(self.store.blocks)]

    def pixels(self, rows: np.ndarray, view: int) -> Tensor:
        return self.images.batch(rows, self.params[rows, view], self.teacher.info.input)[0]

    def cached(self, name: str = "teacher", signals: Needs = EVERYTHING, budget: int = 1 << 30) -> CachedTargets:
        return CachedTargets(self.store, {name: signals}, device=CPU, budget_bytes=budget)

    def live(self, signals: Needs = EVERYTHING, *, cast: bool) -> LiveTargets:
        dtype, spec = self.dtype if cast else None, live_spec(self.teacher, 200, self.store.spec.views)
        return LiveTargets(self.teacher, spec, {"live": signals}, class_mean=self.means(dtype), dtype=dtype)

    def means(self, dtype: torch.dtype | None) -> Tensor:
        labels = self.store.labels()
        chosen = chosen_rows(labels, self.store.sample_status(), 5)
        return live_class_means(Echo(self.embeddings), [(chosen, chosen)], labels, 10, dtype=dtype)

    @cached_property
    def embeddings(self) -> Tensor:
        return torch.cat([self.teacher(self.pixels(rows, 0))["image_embedding"] for rows in self.blocks()])


class Echo:
    """A teacher whose embeddings are known: they come from the batches of the teacher pass."""

    def __init__(self, embeddings: Tensor) -> None:
        self.embeddings = embeddings.detach()
        self.info: Any = type("Info", (), {"embedding_dim": embeddings.shape[1]})

    def __call__(self, rows: np.ndarray) -> Any:
        return {"image_embedding": self.embeddings[torch.from_numpy(rows)]}


@pytest.fixture(
    scope="module",
    params=[
        ("float16", 1, VIT, "float32"),
        ("bfloat16", 1, VIT, "float32"),
        ("float32", 1, VIT, "float32"),
        ("float16", 2, VIT, "float32"),
        ("bfloat16", 2, VIT, "float32"),
        ("float32", 2, VIT, "float32"),
        ("float16", 2, "cnn-2", "float32"),
        ("float32", 1, "cnn-2", "float32"),
        ("float16", 2, VIT, "bf16"),
        ("float32", 1, "cnn-2", "fp16"),
    ],
    ids=lambda param: f"{param[0]}-{param[1]}-{param[2][:3]}-{param[3]}",
)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    dtype, views, spec, kept = request.param
    teacher = make_teacher(spec, dtype=kept, image_size=32 if spec == VIT else SIZE)
    store = make_store(tmp_path_factory.mktemp("pair") / "s.zarr", teacher=teacher, dtype=dtype, views=views)
    shift(store)
    return Pair(store, teacher, f"{dtype} {views} {spec} {kept}", dtype)


def unit_in_the_last_place(values: Tensor, dtype: torch.dtype) -> Tensor:
    """The distance between neighbours of `dtype` around float32 values, float64."""
    info = torch.finfo(dtype)
    exponent = torch.frexp(values.double().abs().clamp_min(info.tiny)).exponent - 1
    return info.eps * torch.pow(torch.tensor(2.0, dtype=torch.float64), exponent)


def fetched(source: TargetSource, rows: np.ndarray, view: int, images: Tensor) -> Targets:
    return source.fetch(BatchRows(rows, torch.from_numpy(rows)), view, images)


def check_elements(pair: Pair, name: str) -> None:
    """Every embedding, logit and class mean of a target against the live teacher."""
    cached, live = pair.cached(name), pair.live(cast=False)
    for rows in pair.blocks():
        for view in range(pair.store.spec.views):
            images = pair.pixels(rows, view)
            ours, theirs = fetched(cached, rows, view, images), fetched(live, rows, view, images)
            for signal in ("image_embedding", "logits"):
                check_tensor(ours[signal], theirs[signal], pair.dtype)
                assert theirs[signal].dtype == TORCH_DTYPES[pair.teacher.info.dtype]
    check_tensor(ours["class_mean"], theirs["class_mean"], pair.dtype)
    assert theirs["class_mean"].dtype == torch.float32


def check_tensor(cached: Tensor, live: Tensor, dtype: torch.dtype) -> None:
    distance = (cached.double() - live.double()).abs() / unit_in_the_last_place(live, dtype)
    assert distance.max() <= 1, f"{float(distance.max()):.3g} units in the last place"


@pytest.mark.parametrize("budget", [0, 1 << 30], ids=["mapped", "resident"])
def test_every_cached_element_is_the_live_one(pair: Pair, budget: int):
    check_elements(pair, "teacher")
    source = pair.cached(budget=budget)
    assert source.targets["teacher"].tier == ("resident" if budget else "mapped")
    rows = np.array([3, 199, 64, 3])
    assert source.fetch(BatchRows(rows, torch.from_numpy(rows)), 0)["logits"].dtype == pair.dtype


def test_a_store_shifted_by_one_row_fails_elementwise(pair: Pair):
    with pytest.raises(AssertionError, match="units in the last place"):
        check_elements(pair, "shifted")


def gradients(
    pair: Pair, source: TargetSource, method: Method, student_spec: str, rows: np.ndarray, view: int
) -> dict[str, Tensor]:
    """The loss, its terms, and the gradient of every parameter of the student and of what trains beside it."""
    student = build_student(student_spec, classes=10, image_size=SIZE, seed=1)
    modules = method.build(student, source.specs, seed=1)
    shown, seen = pair.images.batch(rows, pair.params[rows, view], student.input, pair.teacher.info.input)
    labels = torch.from_numpy(pair.store.labels()[rows].astype(np.int64))
    targets = fetched(source, rows, view, seen)
    # what is drawn comes from the seed and the step, so it is the same for both sources
    noise = method.draws.uniform((len(rows), student.embedding_dim), step=0, purpose="bottleneck", device=CPU)
    out = student.outputs({"image": shown}, method.bottleneck, noise)
    terms = method(out, targets, {"label": labels}, 0)
    loss = total(terms, method.weights)
    loss.backward()
    named = [*student.named_parameters(), *((f"method.{n}", p) for n, p in modules.named_parameters())]
    assert all(parameter.grad is not None for _, parameter in named)
    found = {n: p.grad for n, p in named if p.grad is not None}
    return {"loss": loss.detach(), **{term: value.detach() for term, value in terms.items()}, **found}


def check_training(pair: Pair, name: str, student: str) -> None:
    """Loss and gradients against those from the live teacher cast to the stored dtype; of shifted rows they differ."""
    wanted = METHODS[name].needs
    cached, shifted = (pair.cached(target, wanted) for target in ("teacher", "shifted"))
    live = pair.live(wanted, cast=True)
    for rows, view in ((pair.blocks()[2], pair.store.spec.views - 1), (pair.blocks()[0], 0)):
        theirs = gradients(pair, live, make_method(name), student, rows, view)
        check_gradients(gradients(pair, cached, make_method(name), student, rows, view), theirs)
    with pytest.raises(AssertionError, match="differs by"):
        check_gradients(gradients(pair, shifted, make_method(name), student, rows, view), theirs)


def check_gradients(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        error = float((ours[key] - value).norm())
        assert error <= 1e-6 * max(float(value.norm()), 1e-3), f"{key} differs by {error:.3g}"


@pytest.mark.parametrize("name", METHODS_WITH_TEACHER)
def test_loss_and_gradients_agree(pair: Pair, name: str):
    for student in some(list(STUDENTS.values()), 1, f"{pair.name} {name}"):
        check_training(pair, name, student)


def test_the_partition_is_the_one_of_the_pass(pair: Pair):
    assert [len(rows) for rows in pair.blocks()] == [BLOCK, BLOCK, BLOCK, 8]

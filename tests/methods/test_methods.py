"""What every method promises, held against each of them; then what each one computes."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from teachonce.errors import DataError, MismatchError, StoreMissingError
from teachonce.losses import clip_embed_kd, clip_teacher_kd
from teachonce.methods import Targets, make_method, missing, require_class_means, total
from teachonce.methods.method import Method
from teachonce.models import Student
from teachonce.options.methods import METHODS
from teachonce.signals import needs
from teachonce.types import InputSpec, TargetSpec
from tests.signalkit import made, spec_of

BATCH, CLASSES, DIM, TEACHER_DIM = 6, 5, 8, 12
EXTRAS = {"dgkd": ("assistant-8", "assistant-6")}
SETTINGS: dict[str, dict[str, str | float | bool]] = {"dgkd": {"drop": 0, "ce_weight": 0.5}}
"""Where a method's default draws at random, or does without a term."""
UNCOMPILED: dict[str, dict[str, bool]] = {"cifd": {"ibm": False}}
"""The density's forward and backward are written by hand, and no compiler looks into them."""


def target(classes: int | None = CLASSES, width: int | None = TEACHER_DIM) -> TargetSpec:
    return spec_of(image_embedding=width, logits=classes)


def specs(*extras: str, classes: int = CLASSES, width: int = TEACHER_DIM) -> dict[str, TargetSpec]:
    names = ("teacher", *extras)
    return {name: spec_of(name, image_embedding=width, logits=classes) for name in names}


class Flat(Student):
    """The smallest student there is."""

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        self.spec, self.input = "flat", InputSpec(height=2, width=2)
        self.embedding_dim, self.classes = DIM, classes


def batch(dtype: torch.dtype = torch.float64) -> tuple[dict[str, Tensor], Targets, dict[str, Tensor]]:
    noise = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=noise, dtype=torch.float64).to(dtype).requires_grad_()

    out = {"image_embedding": draw(BATCH, DIM), "logits": draw(BATCH, CLASSES)}
    per_row = {"image_embedding": TEACHER_DIM, "logits": CLASSES}
    own = {name: draw(BATCH, width) for name, width in per_row.items()} | {"class_mean": draw(CLASSES, TEACHER_DIM)}
    theirs = {extra: {name: draw(BATCH, width) for name, width in per_row.items()} for extra in EXTRAS["dgkd"]}
    targets = made(theirs, **own)
    return out, targets, {"label": torch.arange(BATCH) % CLASSES}


def built(name: str, **settings: str | float | bool) -> Method:
    method = make_method(name, SETTINGS.get(name, {}) | settings, EXTRAS.get(name, ()))
    method.build(Flat(), specs(*method.extras))
    method.modules.double()
    return method


@pytest.mark.parametrize("name", METHODS)
class TestEveryMethod:
    def test_terms_are_named_scalars_with_a_weight_each(self, name: str):
        method = built(name)
        terms = method(*batch(), 0)
        assert set(terms) == set(method.weights)
        assert all(term.shape == () and torch.isfinite(term) for term in terms.values())

    def test_total_is_the_weighted_sum(self, name: str):
        method = built(name)
        terms = method(*batch(), 0)
        expected = sum(method.weights[term] * value.item() for term, value in terms.items())
        assert total(terms, method.weights).item() == pytest.approx(expected, abs=1e-12)

    def test_only_the_student_and_the_modules_get_gradients(self, name: str):
        method = built(name)
        out, targets, inputs = batch()
        total(method(out, targets, inputs, 0), method.weights).backward()
        assert out["logits"].grad.abs().sum() > 0
        assert all(parameter.grad.abs().sum() > 0 for parameter in method.modules.parameters())
        assert not any(tensor.requires_grad for tensor in targets.values())

    def test_gradients_against_finite_differences(self, name: str):
        method = built(name)
        out, targets, inputs = batch()
        parameters = tuple(method.modules.parameters())

        def loss(embedding: Tensor, logits: Tensor, *_: Tensor) -> Tensor:
            terms = method({"image_embedding": embedding, "logits": logits}, targets, inputs, 0)
            return total(terms, method.weights)

        assert torch.autograd.gradcheck(loss, (out["image_embedding"], out["logits"], *parameters))

    def test_needs_are_enough(self, name: str):
        """With nothing but what it asked for, it computes the same."""
        method = built(name)
        out, targets, inputs = batch()
        reads = method.reads(specs(*method.extras))
        asked = Targets("teacher", {(name, key): targets[name, key] for name, keys in reads.items() for key in keys})
        full, least = method(out, targets, inputs, 0), method(out, asked, inputs, 0)
        assert {term: value.item() for term, value in full.items()} == {t: v.item() for t, v in least.items()}

    def test_autocast_does_not_reach_the_losses(self, name: str):
        method = built(name)
        method.modules.float()
        out, targets, inputs = batch(torch.float32)
        plain = method(out, targets, inputs, 0)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            cast = method(out, targets, inputs, 0)
        assert {term: value.item() for term, value in plain.items()} == {t: v.item() for t, v in cast.items()}

    def test_one_graph_without_a_break(self, name: str):
        """No branch on a value, no wait for the device: either would break the graph."""
        method = built(name, **UNCOMPILED.get(name, {}))
        method.modules.float()
        out, targets, inputs = batch(torch.float32)

        def loss(embedding: Tensor, logits: Tensor) -> Tensor:
            terms = method({"image_embedding": embedding, "logits": logits}, targets, inputs, 0)
            return total(terms, method.weights)

        torch._dynamo.reset()
        compiled = torch.compile(loss, fullgraph=True, backend="eager")
        expected = loss(out["image_embedding"], out["logits"])
        assert compiled(out["image_embedding"], out["logits"]).item() == pytest.approx(expected.item(), abs=1e-6)

    def test_init_comes_from_the_seed_alone(self, name: str):
        extras = EXTRAS.get(name, ())
        method = make_method(name, extras=extras)
        torch.manual_seed(11)
        first = [p.clone() for p in method.build(Flat(), specs(*extras), seed=3).parameters()]
        state = torch.random.get_rng_state()
        torch.manual_seed(12)
        second = list(make_method(name, extras=extras).build(Flat(), specs(*extras), seed=3).parameters())
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
        torch.manual_seed(11)
        assert torch.equal(state, torch.random.get_rng_state())

    def test_label_smoothing_is_a_setting(self, name: str):
        out, targets, inputs = batch()
        sharp, smooth = built(name), built(name, label_smoothing="0.2")
        assert sharp(out, targets, inputs, 0)["ce"].item() != smooth(out, targets, inputs, 0)["ce"].item()

    def test_no_target_is_an_error_where_one_is_needed(self, name: str):
        method = make_method(name, extras=EXTRAS.get(name, ()))
        if method.needs:
            with pytest.raises(StoreMissingError, match="--store"):
                method.build(Flat(), {})
        else:
            assert list(method.build(Flat(), {}).parameters()) == []


class TestDefaults:
    def test_weights(self):
        assert make_method("ce").weights == {"ce": 1.0}
        assert make_method("kd").weights == {"ce": 0.1, "kd": 0.9}
        assert make_method("clip-embed-kd").weights == {"ce": 0.5, "clip": 0.5}
        assert make_method("clip-teacher-kd").weights == {"ce": 0.5, "clip": 0.5}

    def test_clip_starts_at_the_scale_of_clip(self):
        method = built("clip-embed-kd")
        assert method.modules.scale().item() == pytest.approx(1 / 0.07, rel=1e-6)

    def test_clip_teacher_averages_both_directions_unless_told(self):
        out, targets, inputs = batch()
        both = built("clip-teacher-kd")(out, targets, inputs, 0)["clip"].item()
        one = built("clip-teacher-kd", symmetric="false")(out, targets, inputs, 0)["clip"].item()
        assert both != one


class TestKd:
    def test_other_classes_are_refused(self):
        with pytest.raises(MismatchError, match=r"of 7 classes, the student's of 5"):
            make_method("kd").build(Flat(), specs(classes=7))

    def test_temperature_is_used(self):
        out, targets, inputs = batch()
        cold, warm = (built("kd", temperature=t)(out, targets, inputs, 0)["kd"].item() for t in ("1", 4.0))
        assert cold != warm


class TestVanilla:
    LOGITS = torch.tensor([[1, 2, 3], [0.5, -1, 2]], dtype=torch.float64)
    TEACHER = torch.tensor([[2, 1, 4], [-1, 0, 3]], dtype=torch.float64)
    LABELS = torch.tensor([2, 0])

    def terms(self, name: str, logits: Tensor, **settings: str | float | bool) -> tuple[Method, dict[str, Tensor]]:
        method = make_method(name, settings)
        method.build(Flat(3), specs(classes=3))
        out = {"image_embedding": torch.zeros(2, DIM), "logits": logits}
        return method, method(out, made(logits=self.TEACHER), {"label": self.LABELS}, 0)

    @pytest.mark.parametrize(
        ("double_softmax", "ce", "whole"), [(False, 1.074459, 1.345678), (True, 1.054607, 1.461487)]
    )
    def test_worked_numbers_as_it_is_meant_and_as_it_runs(self, double_softmax: bool, ce: float, whole: float):
        method, terms = self.terms("vanilla-kd", self.LOGITS, double_softmax=double_softmax)
        assert terms["ce"].item() == pytest.approx(ce, abs=1e-6)
        assert total(terms, method.weights).item() == pytest.approx(whole, abs=1e-6)

    def test_as_it_is_meant_its_gradient_is_that_of_kd(self):
        gradients = []
        for name, settings in (("vanilla-kd", {}), ("kd", {"temperature": 1, "ce_weight": 1, "kd_weight": 0.5})):
            logits = self.LOGITS.clone().requires_grad_()
            method, terms = self.terms(name, logits, **settings)
            total(terms, method.weights).backward()
            gradients.append(logits.grad)
        assert torch.allclose(*gradients, atol=1e-12)

    def test_other_classes_are_refused(self):
        """Soft inputs of a head of two classes are what the public code stumbles over."""
        with pytest.raises(MismatchError, match=r"of 2 classes, the student's of 5"):
            make_method("vanilla-kd").build(Flat(), specs(classes=2))


class TestContrast:
    @pytest.mark.parametrize("name", ["clip-embed-kd", "clip-teacher-kd"])
    @pytest.mark.parametrize(
        ("direction", "sizes"),
        [("teacher-to-student", (TEACHER_DIM, DIM)), ("student-to-teacher", (DIM, TEACHER_DIM))],
    )
    def test_the_projector_goes_where_the_setting_says(self, name: str, direction: str, sizes: tuple[int, int]):
        method = built(name, direction=direction)
        projector = method.modules.projector
        assert (projector.in_features, projector.out_features) == sizes
        terms = method(*batch(), 0)
        assert torch.isfinite(terms["clip"])

    @pytest.mark.parametrize("name", ["clip-embed-kd", "clip-teacher-kd"])
    def test_without_a_projector_the_embeddings_are_compared_as_they_are(self, name: str):
        method = make_method(name, {"direction": "none", "scale": 1})
        method.build(Flat(), specs(width=DIM))
        assert {path for path, _ in method.modules.named_parameters()} == {"scale.log_scale"}
        out, targets, inputs = batch(torch.float32)
        targets = made(**{key: targets[key][:, :DIM] for key in ("image_embedding", "class_mean")})
        if name == "clip-embed-kd":
            expected = clip_embed_kd(out["image_embedding"], targets["class_mean"], inputs["label"], 1.0)
        else:
            expected = clip_teacher_kd(out["image_embedding"], targets["image_embedding"], 1.0)
        assert method(out, targets, inputs, 0)["clip"].item() == pytest.approx(expected.item(), abs=1e-6)

    def test_worked_number_without_a_projector(self):
        """The class means of `TestWorkedNumbers`, as they are after its projector."""
        student = Flat(2)
        student.embedding_dim = 2
        method = make_method("clip-embed-kd", {"direction": "none", "scale": 1, "learn_scale": False})
        method.build(student, specs(width=2))
        embedding = torch.tensor([[3.0, 4], [1, 0], [0, 2]])
        targets = made(class_mean=torch.tensor([[1.5, 0.5], [1.5, 1.5]]))
        out = {"image_embedding": embedding, "logits": torch.zeros(3, 2)}
        assert method(out, targets, {"label": torch.tensor([0, 1, 0])}, 0)["clip"].item() == pytest.approx(
            0.836439, abs=1e-6
        )

    @pytest.mark.parametrize("name", ["clip-embed-kd", "clip-teacher-kd"])
    def test_without_a_projector_other_widths_are_refused(self, name: str):
        method = make_method(name, {"direction": "none"})
        with pytest.raises(MismatchError) as caught:
            method.build(Flat(), specs())
        assert f"the student's is {DIM}" in caught.value.message
        assert f"is {TEACHER_DIM}" in caught.value.message
        assert f"--set {name}.direction=teacher-to-student" in caught.value.mend

    @pytest.mark.parametrize(("given", "expected"), [(5, "5"), ("50", "50"), ("all", "all")])
    def test_rows_of_a_class_are_what_the_method_needs(self, given: str | int, expected: str):
        assert make_method("clip-embed-kd").needs == {"class_mean"}
        assert make_method("clip-embed-kd", {"per_class": given}).needs == {f"class_mean:{expected}"}

    def test_the_learnt_scale_never_passes_100_and_can_come_back(self):
        method = built("clip-embed-kd", scale=100)
        scale = method.modules.scale
        with torch.no_grad():
            scale.log_scale.fill_(7.0)
        value = scale()
        assert value.item() == pytest.approx(100.0, rel=1e-6)
        assert scale.log_scale.item() == pytest.approx(math.log(100.0))
        value.backward()
        assert scale.log_scale.grad.item() == pytest.approx(100.0, rel=1e-6)

    def test_a_fixed_scale_is_no_parameter(self):
        method = built("clip-teacher-kd", learn_scale=False, scale=1)
        assert {name for name, _ in method.modules.named_parameters()} == {"projector.weight", "projector.bias"}
        assert "scale.log_scale" in method.modules.state_dict()

    def test_class_means_pull_toward_the_own_class(self):
        """A few steps on the embedding alone raise its cosine with the projected mean of its class."""
        method = built("clip-embed-kd")
        out, targets, inputs = batch()
        out["image_embedding"] = torch.nn.Parameter(out["image_embedding"].detach().clone())
        optimizer = torch.optim.SGD([out["image_embedding"]], lr=0.1)
        losses = []
        for step in range(20):
            loss = method(out, targets, inputs, step)["clip"]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < losses[0]


class TestMissing:
    def test_logits(self):
        with pytest.raises(StoreMissingError, match="kd needs logits, target 'teacher' has image_embedding") as caught:
            missing(needs("logits"), target(classes=None), method="kd", store="x.zarr")
        assert "`teachonce embed --teacher T --data D --store x.zarr --name OTHER`" in caught.value.mend

    def test_embeddings(self):
        with pytest.raises(StoreMissingError, match=r"needs image embeddings.*has logits"):
            missing(needs("image_embedding"), target(width=None), ["class_mean"])

    @pytest.mark.parametrize("name", ["class_mean", "class_mean:5"])
    def test_class_means(self, name: str):
        with pytest.raises(StoreMissingError, match=r"class means.*teachonce embed .*--name teacher --label-column"):
            missing(needs(name), target())

    def test_nothing_is_missing(self):
        missing(needs("image_embedding", "logits", "class_mean:5"), target(), ["class_mean:5"])


class TestClassMeans:
    def test_a_class_without_a_mean_is_refused_when_the_data_has_it(self):
        with pytest.raises(DataError, match=r"1 classes of the data have no class mean.*\(dog\)"):
            require_class_means(np.array([3, 0, 2]), np.array([0, 1, 2, 1]), ("cat", "dog", "fox"))

    def test_a_class_without_a_mean_that_no_label_needs_is_fine(self):
        require_class_means(np.array([3, 0, 2]), np.array([0, 2, 2]))

    @pytest.mark.parametrize("label", [-1, 3])
    def test_inputs_outside_the_classes(self, label: int):
        with pytest.raises(DataError, match=f"label {label} has no class mean: there are 3"):
            require_class_means(np.array([1, 1, 1]), np.array([0, label]))

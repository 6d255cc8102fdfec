"""`cifd` and `dgkd`: worked numbers in float64, which sources a step hears, and what is read of which target."""

import itertools
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from teachonce.errors import InputError, MismatchError, StoreMissingError
from teachonce.methods import Targets, make_method, total
from teachonce.methods.method import Method
from teachonce.methods.sources import distances, divergences, keep, keep_all_but
from teachonce.models import Student
from teachonce.types import InputSpec, TargetSpec
from tests.signalkit import made, spec_of

RDM = "rdm-10"
THREE = ("rdm-10", "rdm-5", "rdm-1")


def double(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


LABELS = {"label": torch.tensor([2, 0])}
STUDENT, TEACHER, RDM_LOGITS = (
    double([[1, 2, 3], [0.5, -1, 2]]),
    double([[2, 1, 4], [-1, 0, 3]]),
    double([[1.5, 1, 2.5], [0, 0, 1]]),
)
EMBEDDED, X, X_RDM = double([[1.2, 1.8], [0.1, -0.5]]), double([[1, 2], [0, -1]]), double([[1.5, 1], [0.5, -1]])
CE, KL, KL_RDM = 1.074459, 0.345494, 0.227379


def near(value: float) -> Any:
    return pytest.approx(value, abs=1.5e-6)


class Flat(Student):
    """A student of two features and three classes."""

    def __init__(self, width: int = 2) -> None:
        super().__init__()
        self.spec, self.input = "flat", InputSpec(height=2, width=2)
        self.embedding_dim, self.classes = width, 3


class Rates(nn.Module):
    """A bottleneck whose rates are known."""

    def nats(self, noisy: Tensor) -> Tensor:
        return torch.tensor([4.0, 3.0], dtype=torch.float64)


def target(name: str = "teacher", width: int | None = 2, classes: int | None = 3) -> TargetSpec:
    return spec_of(name, image_embedding=width, logits=classes)


def spec(*extras: str, width: int | None = 2, **options: Any) -> dict[str, TargetSpec]:
    return {"teacher": target()} | {name: target(name, width, **options) for name in extras}


def built(name: str, extras: tuple[str, ...], student_width: int = 2, **settings: Any) -> Method:
    method = make_method(name, settings, extras)
    method.build(Flat(student_width), spec(*extras))
    method.modules.double()
    return method


def cifd(*extras: str, **settings: Any) -> Method:
    """Nothing is dropped, and the rates are known."""
    method = built("cifd", extras, **({"kd_dropout": 0} | settings))
    if method.bottleneck is not None:
        method.bottleneck = Rates()
    return method


def targets(*extras: str) -> Targets:
    theirs = {name: {"image_embedding": X_RDM, "logits": RDM_LOGITS} for name in extras}
    return made(theirs, image_embedding=X, logits=TEACHER)


STEPS = itertools.count()
"""Every call is another step, in which other sources are dropped."""


def terms(method: Method) -> dict[str, float]:
    out = {"image_embedding": EMBEDDED.clone(), "logits": STUDENT.clone()}
    return {name: term.item() for name, term in method(out, targets(*method.extras), LABELS, next(STEPS)).items()}


def loss(method: Method) -> float:
    out = {"image_embedding": EMBEDDED.clone(), "logits": STUDENT.clone()}
    return total(method(out, targets(*method.extras), LABELS, next(STEPS)), method.weights).item()


class TestWorkedNumbers:
    """Of the catalogue's section on CIFD: tau = 2 with tau^2, one RDM, all weights 1, lambda_I = .005."""

    def test_cross_entropy_and_divergences(self):
        found = terms(cifd(RDM))
        assert found["ce"] + found["kl"] + found[f"kl_{RDM}"] == near(1.647332)
        assert found["ce"] + found[f"kl_{RDM}"] == near(1.301838)  # the teacher dropped
        assert found["ce"] + found["kl"] == near(1.419953)  # the RDM dropped

    def test_equation_8(self):
        method = cifd(RDM, reduction="sum", embedding_weight=1, ce_weight=0)
        found = terms(method)
        parts = {name: found[name] for name in ("embedding", f"embedding_{RDM}", "rate")}
        assert total({n: torch.tensor(v).double() for n, v in parts.items()}, method.weights).item() == near(0.757500)
        assert found["rate"] == near(3.5)

    def test_equation_9(self):
        assert loss(cifd(RDM, reduction="sum", embedding_weight=1)) == near(2.404832)

    def test_equation_9_with_smooth_l1_and_its_weight_of_100(self):
        assert loss(cifd(RDM, embedding_loss="smooth-l1")) == near(20.164832)

    def test_without_the_square_of_the_temperature(self):
        method = cifd(RDM, reduction="sum", embedding_weight=1, squared_temperature=False)
        assert loss(method) == near(1.975177)

    def test_the_rate_of_the_logistic_density(self):
        """Before training and with its biases at zero the density is a logistic of scale 10."""
        method = built("cifd", ())
        for name, parameter in method.bottleneck.named_parameters():
            if "bias" in name:
                nn.init.zeros_(parameter)
        noisy = double([[0.3, -1.2], [2.1, 0.4]])
        assert method.bottleneck.nats(noisy).mean().item() == near(7.385785)

    def test_dgkd(self):
        method = built("dgkd", ("assistant-8",), temperature=4, drop=0)
        assert loss(method) == near(0.728082)
        found = terms(method)
        assert (found["kl"], found["kl_assistant-8"]) == (near(0.471983), near(0.256098))

    def test_a_sum_of_weights(self):
        """lambda_KL on every divergence, lambda_n on those of RDMs; the embedding weight alike."""
        method = cifd(RDM, kl_weight=2, rdm_weight=3, embedding_weight=5)
        assert method.weights == {
            "ce": 1,
            "kl": 2,
            f"kl_{RDM}": 6,
            "embedding": 5,
            f"embedding_{RDM}": 15,
            "rate": 0.005,
        }


class TestDropout:
    """Which sources a step hears."""

    @pytest.fixture(autouse=True)
    def _seed(self):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            yield

    def kept(self, form: Any, *, rate: float = 0.25, count: int = 4000, rescale: bool = False) -> Tensor:
        """Draws of four sources and five rows: (count, 4, 1 or 5)."""
        shape = (4, 5 if form == "sample" else 1)
        return torch.stack([keep(form, rate, torch.rand(shape), rescale=rescale) for _ in range(count)])

    @pytest.mark.parametrize("form", ["bernoulli", "sample"])
    def test_each_source_is_dropped_at_the_rate_and_on_its_own(self, form: str):
        drawn = self.kept(form)
        assert drawn.shape[1:] == (4, 5 if form == "sample" else 1)
        assert set(drawn.unique().tolist()) == {0.0, 1.0}
        flat = drawn.movedim(1, 2).reshape(-1, 4)
        assert flat.mean(0).tolist() == pytest.approx([0.75] * 4, abs=0.025)
        pairs = torch.corrcoef(flat.T) - torch.eye(4)
        assert pairs.abs().max() < 0.06
        assert (flat.sum(1) == 0).double().mean().item() == pytest.approx(0.25**4, abs=0.004)

    def test_per_sample_rows_differ_within_a_batch(self):
        drawn = self.kept("sample", count=50)
        assert (drawn.amin(2) != drawn.amax(2)).any()

    def test_exactly_one_drops_exactly_one_each_as_often(self):
        drawn = self.kept("exactly-one")[:, :, 0]
        assert (drawn.sum(1) == 3).all()
        assert drawn.mean(0).tolist() == pytest.approx([0.75] * 4, abs=0.025)

    @pytest.mark.parametrize("form", ["bernoulli", "sample", "exactly-one"])
    def test_rescaled_the_expectation_is_one(self, form: str):
        assert self.kept(form, rescale=True).mean().item() == pytest.approx(1.0, abs=0.02)

    @pytest.mark.parametrize(("drop", "sources"), [(0, 3), (1, 3), (2, 3), (2, 5)])
    def test_exactly_so_many(self, drop: int, sources: int):
        drawn = torch.stack([keep_all_but(drop, torch.rand(sources)) for _ in range(500)])
        assert (drawn.sum(1) == sources - drop).all()
        assert drawn.mean(0).tolist() == pytest.approx([1 - drop / sources] * sources, abs=0.07)

    def test_cifd_loses_the_whole_source(self):
        """The loss is the one of both sources, of either, or of none; the embedding term goes with the divergence."""
        method = cifd(RDM, kd_dropout=0.5, ibm=False, embedding_weight=1, reduction="sum")
        seen = Counter(round(loss(method), 5) for _ in range(200))
        apart, apart_rdm = (terms_sum(name) for name in ("embedding", f"embedding_{RDM}"))
        teacher, rdm = KL + apart, KL_RDM + apart_rdm
        wanted = sorted([CE, CE + teacher, CE + rdm, CE + teacher + rdm])
        assert sorted(seen) == pytest.approx(wanted, abs=2e-5)

    def test_exactly_one_of_cifd(self):
        method = cifd(RDM, dropout_form="exactly-one", kd_dropout=0.25, embedding_weight=0, ibm=False)
        seen = Counter(round(loss(method), 6) for _ in range(100))
        assert sorted(seen) == [near(1.301838), near(1.419953)]
        assert min(seen.values()) > 30

    def test_per_sample_cifd(self):
        """Four subsets of two samples for each source: the divergence is a mean of what each sample keeps."""
        method = cifd(RDM, dropout_form="sample", kd_dropout=0.5, embedding_weight=0, ibm=False)
        each = divergences(STUDENT, torch.stack([TEACHER]), temperature=2)[0].tolist()
        wanted = sorted({0.0, each[0] / 2, each[1] / 2, sum(each) / 2})
        assert sorted({round(terms(method)["kl"], 9) for _ in range(200)}) == pytest.approx(wanted, abs=1e-8)

    def test_embedding_terms_may_stay(self):
        method = cifd(RDM, kd_dropout=0.9, dropout_embedding=False, ibm=False)
        found = [terms(method) for _ in range(30)]
        assert {round(each["embedding"], 9) for each in found} == {round(terms(cifd(RDM))["embedding"], 9)}
        assert 0.0 in {each["kl"] for each in found}

    def test_rescaled_the_kept_count_more(self):
        method = cifd(RDM, kd_dropout=0.5, dropout_rescale=True)
        assert {round(terms(method)["kl"], 5) for _ in range(50)} == {0.0, round(2 * KL, 5)}

    def test_without_rdms_nothing_is_dropped(self):
        method = cifd(kd_dropout=0.9)
        assert {terms(method)["kl"] for _ in range(30)} == {terms(cifd())["kl"]}

    def test_dgkd_drops_exactly_one(self):
        method = built("dgkd", ("assistant-8",), temperature=4)
        seen = Counter(round(loss(method), 6) for _ in range(100))
        assert sorted(seen) == [near(0.256098), near(0.471983)]
        assert min(seen.values()) > 30

    def test_a_source_without_embeddings_does_not_move_the_others(self):
        """Of three RDMs the middle one has logits alone: what is dropped is dropped in both terms of the same RDM."""
        method = make_method("cifd", {"kd_dropout": 0.5, "ibm": False}, THREE)
        method.build(Flat(), spec(*THREE) | {"rdm-5": target("rdm-5", None)})
        assert "embedding_rdm-5" not in method.weights
        both = targets(*THREE)
        given = Targets("teacher", {place: both[place] for place in both if place != ("rdm-5", "image_embedding")})
        for step in range(100):
            found = method({"image_embedding": EMBEDDED, "logits": STUDENT}, given, LABELS, step)
            assert found.keys() == method.weights.keys()
            for name in ("", "_rdm-10", "_rdm-1"):
                assert (found[f"kl{name}"] == 0) == (found[f"embedding{name}"] == 0)


def terms_sum(name: str) -> float:
    return terms(cifd(RDM, embedding_weight=1, reduction="sum"))[name]


class TestWhatIsRead:
    """Needs, terms and modules by settings and targets."""

    @pytest.mark.parametrize(
        ("settings", "signals", "names"),
        [
            ({}, {"image_embedding", "logits"}, {"ce", "kl", "kl_rdm-10", "embedding", "embedding_rdm-10", "rate"}),
            ({"ibm": False}, {"image_embedding", "logits"}, {"ce", "kl", "kl_rdm-10", "embedding", "embedding_rdm-10"}),
            ({"embedding_weight": 0}, {"logits"}, {"ce", "kl", "kl_rdm-10", "rate"}),
            ({"kl_weight": 0}, {"image_embedding"}, {"ce", "embedding", "embedding_rdm-10", "rate"}),
        ],
    )
    def test_by_settings(self, settings: dict[str, Any], signals: set[str], names: set[str]):
        method = cifd(RDM, **settings)
        assert method.needs == signals
        assert method.reads(spec(RDM)) == {"teacher": signals, RDM: signals}
        assert set(method.weights) == names == set(terms(method))

    def test_an_rdm_with_logits_alone_has_no_embedding_term(self):
        method = make_method("cifd", {}, (RDM,))
        method.build(Flat(), spec(RDM, width=None))
        assert set(method.weights) == {"ce", "kl", "kl_rdm-10", "embedding", "rate"}
        assert "rdm-10: no embeddings" in method.notes[0]
        assert method.reads(spec(RDM, width=None))[RDM] == {"logits"}

    def test_a_projector_only_where_widths_differ(self):
        assert set(built("cifd", ()).modules) == {"ibm"}
        method = built("cifd", (RDM,), student_width=7)
        projector = method.modules["projector"]
        assert (projector.in_features, projector.out_features) == (7, 2)
        assert "student's embeddings (7) are projected to the teacher's width (2)" in method.notes[0]
        assert method.bottleneck.width == 7
        assert set(built("cifd", (), student_width=7, embedding_weight=0, ibm=False).modules) == set()

    def test_the_bottleneck_is_one_of_the_modules(self):
        method = built("cifd", ())
        assert method.bottleneck is method.modules["ibm"]
        assert built("cifd", (), ibm="off").bottleneck is None
        assert make_method("kd").bottleneck is None

    def test_all_of_the_student_and_the_density_learn(self):
        method = built("cifd", THREE, student_width=7, kd_dropout=0)
        out = {"image_embedding": torch.randn(2, 7, dtype=torch.float64, requires_grad=True), "logits": STUDENT}
        source = RDM_LOGITS.clone().requires_grad_()
        given = targets(*THREE)
        theirs = Targets("teacher", {**dict(given.items()), ("rdm-5", "logits"): source})
        total(method(out, theirs, LABELS, 0), method.weights).backward()
        assert out["image_embedding"].grad.abs().sum() > 0
        assert all(parameter.grad.abs().sum() > 0 for parameter in method.modules.parameters())
        assert source.grad is None

    @pytest.mark.parametrize("name", ["cifd", "dgkd"])
    def test_other_classes_are_refused(self, name: str):
        method = make_method(name, {}, (RDM,))
        with pytest.raises(MismatchError, match=r"'rdm-10' are of 7 classes, the student's of 3"):
            method.build(Flat(), spec(RDM, classes=7))

    def test_an_rdm_of_another_width_is_refused(self):
        with pytest.raises(MismatchError, match=r"'rdm-10' has embeddings of width 5, target 'teacher' of 2"):
            make_method("cifd", {}, (RDM,)).build(Flat(), spec(RDM, width=5))

    def test_a_target_without_embeddings(self):
        with pytest.raises(StoreMissingError, match="needs embeddings"):
            make_method("cifd").build(Flat(), {"teacher": target(width=None)})


class TestNoWaiting:
    """On a device without values a look at one would be an error: so is nothing here waited for."""

    @pytest.fixture(autouse=True)
    def _no_autocast(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # that device has none

    def test_a_look_would_be_an_error(self):
        with pytest.raises(RuntimeError, match="meta tensors"):
            torch.empty(1, device="meta").item()

    @pytest.mark.parametrize("form", ["bernoulli", "exactly-one", "sample"])
    @pytest.mark.parametrize("rescale", [False, True])
    def test_cifd(self, form: str, rescale: bool):
        method = built("cifd", THREE, student_width=7, dropout_form=form, dropout_rescale=rescale)
        method.build(Flat(7), spec(*THREE) | {"rdm-5": target("rdm-5", None)})
        method.modules.to("meta")
        self.check(method)

    @pytest.mark.parametrize("drop", [0, 1])
    def test_dgkd(self, drop: int):
        self.check(built("dgkd", ("assistant-8",), drop=drop))

    def check(self, method: Method) -> None:
        meta: dict[str, Any] = {"device": "meta", "requires_grad": True}
        embedding, logits = torch.empty(6, 7, **meta), torch.empty(6, 3, **meta)

        def theirs() -> dict[str, Tensor]:
            return {"image_embedding": torch.empty(6, 2, device="meta"), "logits": torch.empty(6, 3, device="meta")}

        both = made({name: theirs() for name in method.extras}, **theirs())
        noisy = (
            embedding if method.bottleneck is None else method.bottleneck(embedding, torch.empty(6, 7, device="meta"))
        )
        terms = method(
            {"image_embedding": noisy, "logits": logits},
            both,
            {"label": torch.empty(6, dtype=torch.int64, device="meta")},
            0,
        )
        total(terms, method.weights).backward()
        assert logits.grad.shape == (6, 3)
        assert all(parameter.grad is not None for parameter in method.modules.parameters())


class TestExtras:
    """What the extras of a method can be."""

    @pytest.mark.parametrize(
        ("name", "settings", "extras", "told"),
        [
            ("kd", {}, ("rdm-1",), "method kd takes one target, got also rdm-1"),
            ("dgkd", {}, (), "method dgkd needs assistants beside the teacher"),
            ("cifd", {}, ("rdm-1", "rdm-1"), "rdm-1 is given twice"),
            ("dgkd", {"drop": 2}, ("a-1",), "dgkd.drop must be below 2"),
            ("dgkd", {"drop": 0.5}, ("a-1",), "dgkd.drop must be a whole number, got 0.5"),
            ("dgkd", {"drop": -1}, ("a-1",), "dgkd.drop must be zero or positive"),
            ("dgkd", {"temperature": 0}, ("a-1",), "dgkd.temperature must be positive"),
            ("cifd", {"kd_dropout": 1}, (), r"cifd.kd_dropout must be in \[0, 1\), got 1"),
            ("cifd", {"temperature": -1}, (), "cifd.temperature must be positive"),
            ("cifd", {"rate_weight": "nan"}, (), "cifd.rate_weight must be zero or positive"),
            ("cifd", {"dropout_form": "exactly_one"}, (), "cannot be 'exactly_one'"),
            ("cifd", {"embedding_loss": "smoothl1"}, (), "cannot be 'smoothl1'"),
            ("cifd", {"kl_weight": 0, "embedding_weight": 0}, (), "the teacher has no effect"),
            ("cifd", {"rateweight": 0}, (), "no setting 'rateweight'"),
        ],
    )
    def test_what_is_refused(self, name: str, settings: dict[str, Any], extras: tuple[str, ...], told: str):
        with pytest.raises(InputError, match=told) as caught:
            make_method(name, settings, extras)
        assert caught.value.mend

    def test_nearest_names(self):
        with pytest.raises(InputError) as caught:
            make_method("cifd", {"dropout_form": "exactly_one", "rate_weight": 1})
        assert "Did you mean exactly-one?" in caught.value.mend
        with pytest.raises(InputError) as caught:
            make_method("cifd", {"rateweight": 0})
        assert "Did you mean rate_weight?" in caught.value.mend


class TestDivergencesAndDistances:
    """The stacked forms against torch's own, one source at a time."""

    @pytest.mark.parametrize("temperature", [1.0, 4.0])
    def test_divergences(self, temperature: float):
        noise = torch.Generator().manual_seed(0)
        logits, sources = (torch.randn(*s, 7, generator=noise).double() for s in ((6,), (3, 6)))
        found = divergences(logits, sources, temperature=temperature)
        for source, row in zip(sources, found, strict=True):
            ours, theirs = (x.div(temperature).log_softmax(1) for x in (logits, source))
            each = nn.functional.kl_div(ours, theirs, reduction="none", log_target=True).sum(1)
            assert torch.allclose(row, each * temperature**2, rtol=1e-12)

    @pytest.mark.parametrize(
        ("kind", "torchs"), [("mse", nn.functional.mse_loss), ("smooth-l1", nn.functional.smooth_l1_loss)]
    )
    def test_distances(self, kind: Any, torchs: Callable[..., Tensor]):
        noise = torch.Generator().manual_seed(0)
        embedding, sources = (3 * torch.randn(*s, 5, generator=noise).double() for s in ((6,), (3, 6)))
        for reduction, factor in (("mean", 1), ("sum", 5)):
            found = distances(embedding, sources, kind=kind, reduction=reduction).mean(1)
            wanted = [factor * torchs(embedding, source).item() for source in sources]
            assert found.tolist() == pytest.approx(wanted, rel=1e-12)

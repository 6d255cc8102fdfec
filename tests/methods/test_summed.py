"""Sums of methods: terms, weights, settings and modules of the parts, side by side."""

from typing import Any

import pytest
import torch

from teachonce.errors import InputError, MismatchError
from teachonce.methods import make_method, total
from teachonce.models import Student
from teachonce.types import InputSpec
from tests.signalkit import made, spec_of

OUT = {"image_embedding": torch.randn(4, 6, dtype=torch.float64), "logits": torch.randn(4, 3, dtype=torch.float64)}
LABELS = {"label": torch.tensor([0, 1, 2, 0])}
SPECS = {"teacher": spec_of(image_embedding=5, logits=3)}
DOUBLE = {"dtype": torch.float64}
TARGETS = made(image_embedding=torch.randn(4, 5, **DOUBLE), logits=torch.randn(4, 3, **DOUBLE))


class Flat(Student):
    def __init__(self) -> None:
        super().__init__()
        self.spec, self.input, self.embedding_dim, self.classes = "flat", InputSpec(height=2, width=2), 6, 3


def loss(name: str, settings: dict[str, Any] | None = None) -> float:
    method = make_method(name, settings)
    method.build(Flat(), SPECS).double()
    return total(method(OUT, TARGETS, LABELS, 0), method.weights).item()


def test_the_loss_is_the_sum():
    assert loss("kd+vanilla-kd") == pytest.approx(loss("kd") + loss("vanilla-kd"), abs=1e-12)
    assert loss("clip-teacher-kd+kd") == pytest.approx(loss("clip-teacher-kd") + loss("kd"), abs=1e-12)


def test_terms_modules_needs_and_values_are_those_of_the_parts():
    method = make_method("kd+clip-teacher-kd", {"kd.temperature": "2", "clip-teacher-kd.ce_weight": 0})
    modules = method.build(Flat(), SPECS)
    assert method.name == "kd+clip-teacher-kd"
    assert method.weights == {
        "kd.ce": 0.1, "kd.kd": 0.9, "clip-teacher-kd.ce": 0.0, "clip-teacher-kd.clip": 0.5,
    }  # fmt: skip
    assert method.needs == {"logits", "image_embedding"}
    assert method.reads(SPECS) == {"teacher": method.needs}
    assert {name.split(".")[0] for name, _ in modules.named_parameters()} == {"clip-teacher-kd"}
    values = method.values()
    assert (values["kd.temperature"], values["clip-teacher-kd.ce_weight"]) == (2.0, 0)
    assert values == method.named_values()


def test_extras_go_to_the_part_that_takes_them():
    method = make_method("kd+cifd", {"cifd.kd_dropout": 0}, ("rdm-10",))
    specs = SPECS | {"rdm-10": spec_of("rdm-10", image_embedding=5, logits=3)}
    method.build(Flat(), specs)
    assert method.reads(specs)["rdm-10"] == {"logits", "image_embedding"}
    assert "cifd.kl_rdm-10" in method.weights
    assert method.bottleneck is not None
    assert method.idle == frozenset()
    assert "cifd.kd_dropout" in make_method("kd+cifd").idle


@pytest.mark.parametrize(
    ("name", "settings", "extras", "message"),
    [
        ("kd+kd", {}, (), "method kd is twice"),
        ("kd+", {}, (), "no method ''"),
        ("kd+dkd", {}, (), "no method 'dkd'"),
        ("kd+ce", {"temperature": 2}, (), "setting temperature of a sum has no method"),
        ("kd+ce", {"kd.temprature": 2}, (), "method kd has no setting 'temprature'"),
        ("kd+ce", {"vanilla-kd.temprature": 2}, (), "method vanilla-kd has no setting"),
        ("kd+ce", {}, ("rdm-10",), "takes one target"),
        ("kd+dgkd", {}, (), "needs assistants"),
        ("cifd+dgkd", {}, ("a",), "one takes RDMs and one assistants"),
    ],
)
def test_what_cannot_be_summed(name: str, settings: dict[str, Any], extras: tuple[str, ...], message: str):
    with pytest.raises(InputError, match=message):
        make_method(name, settings, extras)


def test_a_mend_names_the_setting():
    with pytest.raises(InputError) as caught:
        make_method("ce+kd", {"temperature": 2})
    assert caught.value.mend == "Use kd.temperature"


def test_label_smoothing_is_for_each_part():
    values = make_method("kd+ce", {"label_smoothing": 0.1}).values()
    assert values["kd.label_smoothing"] == values["ce.label_smoothing"] == 0.1


def test_a_part_refuses_what_it_would_refuse_alone():
    with pytest.raises(MismatchError, match="method kd"):
        make_method("kd+ce").build(Flat(), {"teacher": spec_of(logits=7)})

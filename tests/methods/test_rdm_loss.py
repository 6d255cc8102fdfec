"""The losses of rate-distortion modules against worked numbers in float64."""

import pytest
import torch
from torch import Tensor

from teachonce.losses import ce, kd
from teachonce.methods.rate_distortion import RdmLoss, distortion, rdm_loss
from teachonce.models.rdm import RdmOut


def double(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


X = double([[1, 2], [0, -1]])
MADE = double([[1.5, 1], [0.5, -1]])
RATES = double([[3.2, 2.5]])
LOGITS = double([[1, 2, 3], [0.5, -1, 2]])
TEACHER_LOGITS = double([[2, 1, 4], [-1, 0, 3]])
LABELS = torch.tensor([2, 0])
R = torch.tensor([2.0], dtype=torch.float64)


def out(*, embedding: bool = True, logits: bool = True, count: int = 1) -> RdmOut:
    return RdmOut(
        latent=torch.zeros(count, 2, 4),
        nats=RATES.repeat(count, 1),
        embedding=MADE.repeat(count, 1, 1) if embedding else None,
        logits=LOGITS.repeat(count, 1, 1) if logits else None,
    )


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-6)


class TestWorkedNumbers:
    def test_equation_4(self):
        terms = rdm_loss(out(logits=False), X, None, None, weights=R, settings=RdmLoss())
        assert terms["total"].tolist() == near([4.350000])
        assert terms["rate"].tolist() == near([2.85])
        assert terms["distortion"].tolist() == near([0.75])
        assert set(terms) == {"total", "rate", "distortion"}

    def test_equation_4_with_the_mean_over_dimensions(self):
        terms = rdm_loss(out(logits=False), X, None, None, weights=R, settings=RdmLoss(reduction="mean"))
        assert terms["total"].tolist() == near([3.600000])

    def test_smooth_l1(self):
        assert distortion(X, MADE[None], kind="smooth-l1", reduction="mean").mean().item() == near(0.187500)
        terms = rdm_loss(out(logits=False), X, None, None, weights=R, settings=RdmLoss.for_preset("r34"))
        assert terms["distortion"].tolist() == near([0.187500])

    def test_equation_5(self):
        terms = rdm_loss(out(), X, TEACHER_LOGITS, LABELS, weights=R, settings=RdmLoss())
        assert terms["total"].tolist() == near([5.769953])
        assert terms["ce"].item() == near(1.074459)
        assert terms["kl"].item() == near(0.345494)

    def test_equation_5_without_the_squared_temperature(self):
        terms = rdm_loss(out(), X, TEACHER_LOGITS, LABELS, weights=R, settings=RdmLoss(squared_temperature=False))
        assert terms["kl"].item() == near(0.345494 / 4)


def test_weights_of_ce_and_kl():
    settings = RdmLoss(ce_weight=0.5, kl_weight=3.0)
    terms = rdm_loss(out(), X, TEACHER_LOGITS, LABELS, weights=R, settings=settings)
    assert terms["total"].item() == near(4.35 + 0.5 * 1.074459 + 3 * 0.345494)


@pytest.mark.parametrize("embedding", [True, False])
def test_of_the_cnn_r_multiplies_ce_and_kl(embedding: bool):
    terms = rdm_loss(out(embedding=embedding), X, TEACHER_LOGITS, LABELS, weights=R, settings=RdmLoss.for_preset("cnn"))
    assert set(terms) == {"total", "rate", "ce", "kl"}
    assert terms["total"].item() == near(2.85 + 2 * (1.074459 + 0.345494))


def test_each_rdm_has_its_own_weight_and_gradient():
    many = out(count=3)
    many.embedding.requires_grad_()
    weights = torch.tensor([4.0, 2.0, 0.5], dtype=torch.float64)
    terms = rdm_loss(many, X, TEACHER_LOGITS, LABELS, weights=weights, settings=RdmLoss())
    assert terms["total"].tolist() == near([5.769953 + 0.75 * (w - 2) for w in weights.tolist()])
    terms["total"].sum().backward()
    gradient = many.embedding.grad
    torch.testing.assert_close(gradient[0], 2 * gradient[1])
    torch.testing.assert_close(gradient[0], 8 * gradient[2])


def test_the_same_ce_and_kl_as_a_students():
    torch.manual_seed(0)
    logits, teacher, labels = torch.randn(3, 8, 5), torch.randn(8, 5), torch.randint(5, (8,))
    many = RdmOut(torch.zeros(3, 8, 1), torch.zeros(3, 8), None, logits)
    terms = rdm_loss(many, torch.zeros(8, 2), teacher, labels, weights=torch.ones(3), settings=RdmLoss(temperature=3.0))
    for k in range(3):
        assert terms["ce"][k].item() == near(ce(logits[k], labels).item())
        assert terms["kl"][k].item() == near(kd(logits[k], teacher, temperature=3.0).item())


def test_the_teachers_side_has_no_gradient():
    x, teacher = X.clone().requires_grad_(), TEACHER_LOGITS.clone().requires_grad_()
    many = out()
    many.embedding.requires_grad_()
    rdm_loss(many, x, teacher, LABELS, weights=R, settings=RdmLoss())["total"].sum().backward()
    assert x.grad is None
    assert teacher.grad is None


def test_half_precision_targets_are_widened():
    found = distortion(X.half(), MADE.float()[None])
    assert found.dtype == torch.float32
    assert found.tolist() == [[1.25, 0.25]]


def test_presets_and_what_is_given():
    assert RdmLoss.for_preset("general") == RdmLoss()
    assert RdmLoss.for_preset("r50", reduction="sum", distortion=None).reduction == "sum"
    assert RdmLoss.for_preset("r50", reduction=None).distortion == "smooth-l1"
    assert RdmLoss.for_preset("cnn", temperature=4.0) == RdmLoss(weighs="task", temperature=4.0)

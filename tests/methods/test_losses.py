"""The losses against worked numbers in float64, closed forms, and the mistakes of public implementations."""

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from teachonce.losses import (
    ce,
    clip_embed_kd,
    clip_teacher_kd,
    kd,
    vanilla_kd,
)


def double(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


LOGITS = double([[1, 2, 3], [0.5, -1, 2]])
TEACHER_LOGITS = double([[2, 1, 4], [-1, 0, 3]])
LABELS = torch.tensor([2, 0])

STUDENT = double([[3, 4], [1, 0], [0, 2]])
MEANS = double([[1, 1, 0], [0, 2, 1]])
TEACHER = double([[1, 0, 0], [0, 1, 0], [1, 1, 1]])
WEIGHT, BIAS = double([[1, 0, 1], [0, 1, 0]]), torch.tensor([0.5, -0.5], dtype=torch.float64)
CLASSES = torch.tensor([0, 1, 0])


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-6)


class TestWorkedNumbers:
    def test_ce(self):
        assert ce(LOGITS, LABELS).item() == near(1.074459)

    @pytest.mark.parametrize(("temperature", "expected"), [(1.0, 0.143149), (2.0, 0.345494), (4.0, 0.471983)])
    def test_kd(self, temperature: float, expected: float):
        assert kd(LOGITS, TEACHER_LOGITS, temperature=temperature).item() == near(expected)

    def test_kd_total_of_mdistiller(self):
        total = 0.1 * ce(LOGITS, LABELS) + 0.9 * kd(LOGITS, TEACHER_LOGITS, temperature=4)
        assert total.item() == near(0.532231)

    def test_projected_class_means(self):
        projected = F.linear(MEANS, WEIGHT, BIAS)
        assert projected.tolist() == [[1.5, 0.5], [1.5, 1.5]]

    @pytest.mark.parametrize(("scale", "expected"), [(1.0, 0.836439), (1 / 0.07, 3.851235)])
    def test_clip_embed(self, scale: float, expected: float):
        loss = clip_embed_kd(STUDENT, F.linear(MEANS, WEIGHT, BIAS), CLASSES, scale)
        assert loss.item() == near(expected)

    def test_clip_embed_without_the_classes_that_are_absent(self):
        generator = torch.Generator().manual_seed(0)
        student, means = (torch.randn(6, 5, generator=generator) for _ in range(2))
        absent = torch.tensor([False, True, False, False, True, False])
        labels = torch.tensor([0, 2, 3, 5, 0, 2])
        kept = torch.cumsum(~absent, 0) - 1
        spoilt = means.masked_fill(absent[:, None], 0.0).requires_grad_()
        loss = clip_embed_kd(student, spoilt, labels, 3.0, absent=absent)
        assert loss.item() == near(clip_embed_kd(student, means[~absent], kept[labels], 3.0).item())
        loss.backward()
        assert (spoilt.grad[absent] == 0).all()
        assert spoilt.grad.isfinite().all()

    def test_clip_embed_with_the_papers_weight(self):
        loss = 0.5 * clip_embed_kd(STUDENT, F.linear(MEANS, WEIGHT, BIAS), CLASSES, 1.0)
        assert loss.item() == near(0.418219)

    @pytest.mark.parametrize(("symmetric", "expected"), [(False, 1.321526), (True, 1.331379)])
    def test_clip_teacher(self, symmetric: bool, expected: float):
        projected = F.linear(TEACHER, WEIGHT, BIAS)
        assert projected.tolist() == [[1.5, -0.5], [0.5, 0.5], [2.5, 0.5]]
        assert clip_teacher_kd(STUDENT, projected, 1.0, symmetric=symmetric).item() == near(expected)

    def test_vanilla_kd_as_it_was_meant(self):
        loss = ce(LOGITS, LABELS) + 0.5 * vanilla_kd(LOGITS, TEACHER_LOGITS)
        assert loss.item() == near(1.345678)


class TestTraps:
    def test_double_softmax_is_another_number(self):
        """What the public code of vanilla KD computes, on the same inputs."""
        wrong = LOGITS.softmax(1)
        coded = ce(wrong, LABELS) + 0.5 * vanilla_kd(wrong, TEACHER_LOGITS)
        assert ce(wrong, LABELS).item() == near(1.054607)
        assert coded.item() == near(1.461487)

    def test_double_softmax_has_a_floor_that_logits_have_not(self):
        perfect = 40 * torch.eye(100, dtype=torch.float64)
        labels = torch.arange(100)
        assert ce(perfect.softmax(1), labels).item() == near(3.622207)
        assert ce(perfect, labels).item() < 1e-10

    def test_cosines_need_a_scale(self):
        """At 100 classes, a perfect simplex of class means: the loss without a scale cannot go below 3.61."""
        simplex = torch.eye(100, dtype=torch.float64) - 1 / 100
        labels = torch.arange(100)
        assert clip_embed_kd(simplex, simplex, labels, 1.0).item() == near(3.612377)
        assert clip_embed_kd(simplex, simplex, labels, 1 / 0.07).item() < 1e-3

    @pytest.mark.parametrize("temperature", [1.0, 2.0, 8.0])
    def test_kd_has_t_squared_and_means_over_the_batch_only(self, temperature: float):
        student, teacher = (LOGITS / temperature).softmax(1), (TEACHER_LOGITS / temperature).softmax(1)
        rows = [
            sum(t * (math.log(t) - math.log(s)) for s, t in zip(*pair, strict=True))
            for pair in zip(student.tolist(), teacher.tolist(), strict=True)
        ]
        expected = temperature**2 * sum(rows) / len(rows)
        assert kd(LOGITS, TEACHER_LOGITS, temperature=temperature).item() == near(expected)

    def test_kd_is_soft_cross_entropy_less_the_teachers_entropy(self):
        entropy = vanilla_kd(TEACHER_LOGITS, TEACHER_LOGITS, temperature=2)
        expected = 4 * (vanilla_kd(LOGITS, TEACHER_LOGITS, temperature=2) - entropy)
        assert kd(LOGITS, TEACHER_LOGITS, temperature=2).item() == near(expected.item())

    def test_kd_of_equal_logits_is_zero(self):
        assert kd(LOGITS, LOGITS + 3, temperature=4).item() == near(0.0)

    def test_t_squared_keeps_the_gradients_size(self):
        """For a large T the gradient tends to (z^s - z^t) / (B C), centred: it does not vanish."""
        logits = LOGITS.clone().requires_grad_()
        kd(logits, TEACHER_LOGITS, temperature=1e4).backward()
        gap = LOGITS - TEACHER_LOGITS
        expected = (gap - gap.mean(1, keepdim=True)) / LOGITS.numel()
        assert torch.allclose(logits.grad, expected, atol=1e-4)


class TestDtypes:
    def test_half_targets_are_computed_in_float32(self):
        loss = kd(LOGITS.bfloat16(), TEACHER_LOGITS.half(), temperature=4)
        assert loss.dtype == torch.float32
        assert loss.item() == pytest.approx(0.471983, abs=1e-4)

    def test_label_smoothing(self):
        smooth = ce(LOGITS, LABELS, label_smoothing=0.1)
        uniform = -LOGITS.log_softmax(1).mean()
        assert smooth.item() == near((0.9 * ce(LOGITS, LABELS) + 0.1 * uniform).item())


class TestGradients:
    """Each loss against finite differences, in its student side, its scale, and not in its teacher side."""

    def check(self, function: Callable[..., Tensor], *inputs: Tensor):
        assert torch.autograd.gradcheck(function, tuple(value.clone().requires_grad_() for value in inputs))

    def test_ce(self):
        self.check(lambda z: ce(z, LABELS, label_smoothing=0.1), LOGITS)

    def test_kd(self):
        self.check(lambda z: kd(z, TEACHER_LOGITS, temperature=4), LOGITS)

    def test_soft_cross_entropy(self):
        self.check(lambda z: vanilla_kd(z, TEACHER_LOGITS, temperature=2), LOGITS)

    def test_clip_embed(self):
        scale = torch.tensor(5.0, dtype=torch.float64)
        self.check(lambda e, w, b, s: clip_embed_kd(e, F.linear(MEANS, w, b), CLASSES, s), STUDENT, WEIGHT, BIAS, scale)

    @pytest.mark.parametrize("symmetric", [False, True])
    def test_clip_teacher(self, symmetric: bool):
        scale = torch.tensor(5.0, dtype=torch.float64)
        self.check(
            lambda e, w, b, s: clip_teacher_kd(e, F.linear(TEACHER, w, b), s, symmetric=symmetric),
            STUDENT,
            WEIGHT,
            BIAS,
            scale,
        )

    def test_no_gradient_reaches_teacher_logits(self):
        teacher = TEACHER_LOGITS.clone().requires_grad_()
        student = LOGITS.clone().requires_grad_()
        (kd(student, teacher, temperature=2) + vanilla_kd(student, teacher)).backward()
        assert teacher.grad is None
        assert student.grad is not None

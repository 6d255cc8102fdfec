"""What `scripts/bench_rdm.py` reports: ratios of one run, and costs that follow from its numbers."""

import pytest
from bench_rdm import bench_rdm

from teachonce.errors import InputError
from teachonce.models.macs import count_macs
from teachonce.models.teacher import load_teacher


@pytest.fixture(scope="module")
def result():
    return bench_rdm(
        teacher="cnn-2", count=2, hidden=16, batch_size=8, teacher_batch=2, rounds=3, rows=100, epochs=4, device="cpu"
    )


def test_macs_are_those_of_the_layers(result):
    linear = 256 * 16 + 16 * 16 + 16 * 16 + 16 * 256 + 256 * 10
    density = 2 * 16 * (3 + 9 + 9 + 9 + 3)  # two points, 16 units, widths 1, 3, 3, 3, 3, 1
    assert result.rdm_macs == 3 * 2 * (linear + density) * 100 * 4
    teacher = load_teacher("cnn-2", classes=10)
    assert result.teacher_macs == 100 * count_macs(teacher, teacher.info.input)


def test_times_are_multiplied_out(result):
    assert result.rdm_s == pytest.approx(result.arms["together"].step_ms / 8 * 100 * 4 / 1e3)
    assert result.teacher_s == pytest.approx(result.arms["teacher"].step_ms / 2 * 100 / 1e3)
    assert result.together_over_separate.median == pytest.approx(result.together_over_one.median / 2)
    assert all(arm.step_ms > 0 for arm in result.arms.values())


@pytest.mark.parametrize("name", ["count", "rounds", "steps", "rows"])
def test_counts_below_one_are_refused(name):
    with pytest.raises(InputError, match=f"{name} must be at least 1, got 0"):
        bench_rdm(teacher="cnn-2", **{name: 0})

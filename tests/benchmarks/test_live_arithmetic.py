"""Ratios, ceilings and break-even on numbers made by hand."""

import pytest

from teachonce.benchmarks.live.ceilings import Bytes, memory_ceiling, peak_memory_ceiling, time_ceiling
from teachonce.benchmarks.live.conduct import lead_of_turn, steps_of_turn
from teachonce.benchmarks.live.payoff import Costs, payoff, verdict
from teachonce.benchmarks.live.ratios import Times, time_ratios


def times(**changed: list[float]) -> Times:
    arms = {
        "student_only": [10.0, 20.0, 10.0],
        "constant": [11.0, 22.0, 12.0],
        "cached": [11.0, 22.0, 15.0],
        "live": [44.0, 88.0, 45.0],
        "teacher": [33.0, 66.0, 36.0],
        "live_constant": [11.0, 22.0, 9.0],
    }
    return Times(**(arms | changed))


def test_ratios_are_medians_of_the_rounds_own():
    found = time_ratios(times())  # a busy second round is busy for all
    assert found.speedup == pytest.approx(4.0)
    assert found.speedup_spread == pytest.approx((3.5, 4.0))
    assert found.overhead_cache == pytest.approx(1.0)
    assert found.overhead_loss == pytest.approx(1.1)
    assert found.time_ceiling == pytest.approx(4.0)
    assert found.share_of_limit == pytest.approx(1.0)
    assert found.live_check.ratio == pytest.approx(1.0)
    assert found.live_check.within


@pytest.mark.parametrize(("live", "within"), [(1.09, True), (1.11, False), (0.91, True), (0.89, False)])
def test_a_straw_man_is_caught(live: float, within: bool):
    found = time_ratios(times(live=[44 * live, 88 * live, 45 * live]))
    assert found.live_check.within == within
    assert found.live_check.ratio == pytest.approx(live)


def test_a_slower_live_arm_is_no_higher_ceiling():
    slow = time_ratios(times(live=[88.0, 176.0, 90.0]))
    assert slow.time_ceiling == time_ratios(times()).time_ceiling
    assert slow.share_of_limit == pytest.approx(2.0)


def test_ceilings():
    assert time_ceiling(30.0, 10.0) == 4.0
    held = Bytes(base=100, teacher=800, student_step=300, teacher_forward=500)
    assert memory_ceiling(held) == 9.0
    assert peak_memory_ceiling(held) == (100 + 800 + 500) / (100 + 300)
    small = Bytes(base=100, teacher=800, student_step=300, teacher_forward=50)
    assert peak_memory_ceiling(small) == (100 + 800 + 300) / (100 + 300)


def costs(**changed: float) -> Costs:
    given = {"stage_one_s": 90.0, "rdm_s": 10.0, "cached_epoch_s": 5.0, "live_epoch_s": 25.0, "epochs": 20} | changed
    return Costs(**given)


def test_break_even_is_where_both_have_cost_the_same():
    found = payoff(costs())
    assert found.break_even_epochs == 5.0
    assert 90 + 10 + 5 * 5 == 5 * 25
    assert found.break_even_students == 0.25
    assert found.pays == "cached"


def test_few_epochs_are_the_live_teachers():
    found = payoff(costs(epochs=4))
    assert (found.break_even_epochs, found.break_even_students, found.pays) == (5.0, 1.25, "live")
    assert payoff(costs(epochs=5)).pays == "cached"


@pytest.mark.parametrize("live", [5.0, 4.0])
def test_what_saves_nothing_never_pays(live: float):
    found = payoff(costs(live_epoch_s=live))
    assert (found.break_even_epochs, found.break_even_students, found.pays) == (None, None, "live")


@pytest.mark.parametrize(
    ("changed", "speedup", "memory", "told"),
    [
        (
            {},
            4.63,
            2.08,
            "From the cache a step takes 4.6 times less time and 2.1 times less memory between steps; "
            "break-even after 5 epochs.",
        ),
        (
            {"stage_one_s": 6.0, "rdm_s": 0.0},
            12.3,
            1.02,
            "From the cache a step takes 12 times less time and as much memory between steps; "
            "break-even after 0.3 epochs.",
        ),
        (
            {"epochs": 4},
            1.2,
            1.1,
            "The live teacher is better here: a step from the cache takes 1.2 times less time and 1.1 times less "
            "memory between steps, but break-even is only after 5 epochs, and a student has 4.",
        ),
        (
            {"live_epoch_s": 4.0},
            0.8,
            1.1,
            "The live teacher is better here: a step from the cache takes 1.2 times more time; no break-even.",
        ),
    ],
)
def test_verdicts(changed: dict[str, float], speedup: float, memory: float, told: str):
    given = costs(**changed)
    assert verdict(payoff(given), speedup=speedup, memory_ratio=memory, epochs=given.epochs) == told


def test_a_turn_takes_a_quarter_of_a_second():
    assert [steps_of_turn(ms) for ms in (0.0, 1.0, 25.0, 100.0, 9000.0)] == [20, 20, 10, 2, 1]
    assert [lead_of_turn(ms) for ms in (0.0, 25.0, 100.0, 9000.0)] == [6, 6, 2, 1]

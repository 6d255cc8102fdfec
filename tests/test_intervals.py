"""Intervals of accuracies: against another library, published examples, and how often they hold what they should."""

from collections.abc import Sequence

import numpy as np
import pytest

from teachonce.intervals import LEVEL, between, difference, packed, paired_difference, unpacked, wilson


@pytest.mark.parametrize("seed", range(30))
def test_wilson_is_that_of_scipy(seed: int):
    from scipy.stats import binomtest  # half a second, here alone

    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 20_000))
    right = int(rng.integers(0, count + 1))
    interval = binomtest(right, count).proportion_ci(LEVEL, method="wilson")
    np.testing.assert_allclose(wilson(right, count), (interval.low, interval.high), atol=1e-12)


def bits(both: int, first: int, second: int, neither: int) -> tuple[int, int, int]:
    """What two got right, as integers, and of how many."""
    alone = "1" * first + "0" * second, "0" * first + "1" * second
    one, two = (int(f"0{'1' * both}{middle}{'0' * neither}", 2) for middle in alone)
    return one, two, both + first + second + neither


@pytest.mark.parametrize(
    ("counts", "low", "high"),  # Newcombe, Stat. Med. 17, 1998, 2635-2650, table II, method 10
    [((36, 12, 2, 0), 0.0569, 0.3404), ((36, 14, 0, 0), 0.1528, 0.4167), ((1, 97, 1, 1), 0.8737, 0.9850)],
)
def test_paired_differences_as_published(counts: Sequence[int], low: float, high: float):
    found = paired_difference(*bits(*counts))
    np.testing.assert_allclose((found.low, found.high), (low, high), atol=6e-5)


def test_an_unpaired_difference_as_published():  # Newcombe, Stat. Med. 17, 1998, 873-890, example a, method 10
    found = difference(56 / 70, 70, 48 / 80, 80)
    np.testing.assert_allclose((found.low, found.high), (0.0524, 0.3339), atol=6e-5)


@pytest.mark.parametrize("shares", [(0.85, 0.03, 0.05, 0.07), (0.5, 0.1, 0.2, 0.2), (0.6, 0.15, 0.15, 0.1)])
def test_a_paired_interval_holds_the_true_difference_as_often_as_it_says(shares: Sequence[float]):
    rng, true = np.random.default_rng(0), shares[1] - shares[2]
    found = [paired_difference(*bits(*map(int, rng.multinomial(360, shares)))) for _ in range(1500)]
    covered = np.mean([one.low <= true <= one.high for one in found])
    assert 0.93 < covered < 0.985
    assert all(one.low <= one.value <= one.high for one in found)


@pytest.mark.parametrize("seed", range(20))
def test_bits_come_back(seed: int):
    rng = np.random.default_rng(seed)
    right = rng.random(int(rng.integers(1, 400))) < 0.7
    text = packed(right.tolist())
    back = unpacked(text, len(right))
    assert back.bit_count() == right.sum()
    assert [bool(back >> place & 1) for place in reversed(range(len(right)))] == right.tolist()
    for wrong in (len(right) + 4, max(len(right) - 4, 0)):
        with pytest.raises(ValueError, match="expected"):
            unpacked(text, wrong)


def test_pairs_are_used_where_they_are_known():
    rng = np.random.default_rng(1)
    one, two = rng.random(360) < 0.95, rng.random(360) < 0.9
    first, second = ({"top1": each.mean(), "rows": 360, "correct": packed(each.tolist())} for each in (one, two))
    paired = between(first, second)
    loose = between(first, {**second, "correct": None})
    assert paired is not None
    assert loose is not None
    assert (paired.is_paired, loose.is_paired) == (True, False)
    assert paired.value == pytest.approx(loose.value)
    assert between(first, {"top1": 0.5}) is None
    same = between(first, first)
    assert same is not None
    assert (same.value, same.is_clear) == (0, False)
    assert same.high - same.low < paired.high - paired.low

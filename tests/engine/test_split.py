"""The split by hash: the same for everybody, whatever the order of the rows."""

import numpy as np
import pytest

from teachonce.engine.split import mix64, shuffled, split_rows
from teachonce.errors import InputError


def digests(count, seed=0):
    return np.random.default_rng(seed).integers(0, 2**63, count, dtype=np.uint64)


def test_mix64_is_splitmix64():
    """The first outputs of the reference splitmix64 from state 0 (its published test vector)."""
    golden = np.arange(3, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    assert [hex(v) for v in mix64(golden)] == ["0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4", "0x6c45d188009454f"]


def test_all_rows_once_and_the_share_is_about_right():
    train, val = split_rows(digests(20_000), 0, 0.1)
    assert sorted([*train, *val]) == list(range(20_000))
    assert 0.09 < len(val) / 20_000 < 0.11


def test_a_row_keeps_its_side_when_rows_move():
    values = digests(1000)
    order = np.random.default_rng(1).permutation(1000)
    _, val = split_rows(values, 3, 0.2)
    _, moved = split_rows(values[order], 3, 0.2)
    assert set(values[val]) == set(values[order][moved])


def test_the_seed_changes_it_and_equal_samples_stay_together():
    values = np.repeat(digests(500), 2)
    train, val = split_rows(values, 0, 0.3)
    assert not set(values[train]) & set(values[val])
    assert set(val) != set(split_rows(values, 1, 0.3)[1])


def test_a_small_set_still_validates():
    train, val = split_rows(digests(2), 0, 1e-6)
    assert len(train) == len(val) == 1


def test_negative_seed_and_no_fraction():
    assert len(split_rows(digests(10), -1, 0.0)[1]) == 0
    split_rows(digests(10), -1, 0.5)


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_bad_fraction(fraction):
    with pytest.raises(InputError, match="fraction"):
        split_rows(digests(4), 0, fraction)


def test_shuffles_come_from_seed_and_epoch():
    rows = np.arange(50)
    assert sorted(shuffled(rows, 0, 3)) == list(rows)
    assert (shuffled(rows, 0, 3) == shuffled(rows, 0, 3)).all()
    assert (shuffled(rows, 0, 3) != shuffled(rows, 0, 4)).any()

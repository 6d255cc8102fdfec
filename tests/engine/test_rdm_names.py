"""Names of RDM targets: one for each number, all digits, no exponent."""

import pytest

from teachonce.cache.layout import is_name
from teachonce.engine.rdm.names import named, rdm_name
from teachonce.errors import InputError


@pytest.mark.parametrize(
    ("weight", "name"),
    [
        (1e4, "rdm-10000"),
        (1.0, "rdm-1"),
        (0.8, "rdm-0.8"),
        (1e7, "rdm-10000000"),
        (1e-7, "rdm-0.0000001"),
        (1e22, "rdm-10000000000000000000000"),
        (1234567.0, "rdm-1234567"),
        (0.30000000000000004, "rdm-0.30000000000000004"),
        (100, "rdm-100"),
        (1200.5, "rdm-1200.5"),
    ],
)
def test_names(weight: float, name: str):
    assert rdm_name(weight) == name
    assert is_name(name)
    assert float(name.removeprefix("rdm-")) == weight


def test_they_keep_the_order_given():
    assert list(named([1, 1e4, 0.5]).items()) == [("rdm-1", 1.0), ("rdm-10000", 1e4), ("rdm-0.5", 0.5)]


@pytest.mark.parametrize("weights", [[], [0], [-1], [float("nan")], [float("inf")], [10, 10.0], [1e-300]])
def test_what_no_target_can_be_called_after(weights: list[float]):
    with pytest.raises(InputError) as caught:
        named(weights)
    assert caught.value.mend

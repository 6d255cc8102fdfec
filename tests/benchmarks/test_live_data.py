"""Random images: the same for every process that opens them."""

import numpy as np
import pytest

from teachonce.benchmarks.live.data import DataSpec
from teachonce.errors import InputError


def test_random_images_are_the_same_everywhere():
    spec = DataSpec(data="random:rows=30,size=8,classes=7,seed=3")
    first, again = spec.open(), spec.open()
    assert first.rows == 30
    assert first.decode(0).shape == (8, 8, 3)
    assert np.array_equal(first.decode(29), again.decode(29))
    assert first.labels is not None
    assert np.bincount(first.labels).tolist() == [5, 5, 4, 4, 4, 4, 4]
    assert len(first.class_names or ()) == first.classes == 7
    other = DataSpec(data="random:rows=30,size=8,classes=7,seed=4").open()
    assert not np.array_equal(first.decode(0), other.decode(0))


def test_a_limit_takes_the_first_rows():
    whole, some = DataSpec(data="random:rows=9").open(), DataSpec(data="random:rows=9", limit=4).open()
    assert some.rows == 4
    assert np.array_equal(whole.decode(3), some.decode(3))
    assert some.classes == whole.classes == 100


def test_other_data_is_opened_by_its_name():
    assert not DataSpec(data="digits").is_random
    assert DataSpec(data="digits", limit=5).open().rows == 5


@pytest.mark.parametrize("spec", ["random:row=3", "random:rows=x", "random:rows=-1", "random:rows", "random:size=0"])
def test_options_that_cannot_be(spec: str):
    with pytest.raises(InputError, match="random"):
        DataSpec(data=spec).open()

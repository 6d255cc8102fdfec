"""Which class of one dataset is which of another."""

import numpy as np
import pytest

from teachonce.data.labels import match_labels, plain
from teachonce.errors import MismatchError


def matched(
    labels: list[int], names: list[str] | None, known: list[str] | None, classes: int | None = None
) -> list[int]:
    count = len(known) if known is not None else classes or 3
    return match_labels(np.array(labels, np.int32), names, who="run r", classes=count, known=known)[0].tolist()


@pytest.mark.parametrize("seed", range(20))
def test_any_order_and_any_part_of_the_names_is_found(seed: int):
    generator = np.random.default_rng(seed)
    known = [f"Class_{index}" for index in generator.permutation(12)]
    names = [
        known[index].replace("_", " ").lower() for index in generator.permutation(12)[: int(generator.integers(1, 12))]
    ]
    labels = generator.integers(-1, len(names), 50)
    found = matched(labels.tolist(), names, known)
    for label, number in zip(labels.tolist(), found, strict=True):
        assert number == -1 if label < 0 else plain(known[number]) == plain(names[label])


@pytest.mark.parametrize(
    ("labels", "names", "known", "expected"),
    [
        ([0, 1, -1], ["dog", "emu"], ["cat", "dog", "emu"], [1, 2, -1]),
        ([0, 1], ["Cat", "cat"], ["cat", "Cat"], [1, 0]),
        ([0, 2], ["a", "unused", "b"], ["a", "b"], [0, 1]),
        ([10, 9, 1], None, ["1", "10", "9"], [1, 2, 0]),
        ([0, 1, 2], ["1", "10", "9"], None, [1, 10, 9]),
        ([2, 0], None, ["x", "y", "z"], [2, 0]),
        ([2, 0], None, None, [2, 0]),
        ([-1, -1], ["a"], ["b"], [-1, -1]),
        ([0], ["e\u0301"], ["\xe9"], [0]),
        ([0, 1], ["\ufeffcat", "dog"], ["cat", "dog"], [0, 1]),
    ],
)
def test_classes_are_matched(labels: list[int], names: list[str] | None, known: list[str] | None, expected: list[int]):
    assert matched(labels, names, known, classes=11) == expected


@pytest.mark.parametrize(
    ("labels", "names", "known", "word"),
    [
        ([0, 1, 1], ["cat", "yak"], ["cat", "dog"], r"'yak' \(2 rows"),
        ([0], ["CAT"], ["cat", "Cat"], "'CAT'"),
        ([3], None, ["1", "2"], r"3 \(1 rows"),
        ([7], None, None, "3 classes and not 7"),
        ([1], ["1", "12"], None, "'12'"),
    ],
)
def test_a_class_that_is_not_there_is_named(
    labels: list[int], names: list[str] | None, known: list[str] | None, word: str
):
    with pytest.raises(MismatchError, match=word):
        matched(labels, names, known)


def test_other_numbers_are_told():
    labels = np.array([0, 1], np.int32)
    same = match_labels(labels, ["a", "b"], who="run r", classes=3, known=["a", "b", "c"])[1]
    other = match_labels(labels, ["b", "a"], who="run r", classes=3, known=["a", "b", "c"])[1]
    assert same is None
    assert other is not None
    assert "'b' is 0 in the data, 1 for run r" in other

"""Groups of what differs in nothing but some names, and pairs of cached and live."""

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from teachonce.options.alike import grouped_by, paired, same_but

SOURCES = st.sampled_from(["cached", "live", "x"])
RUNS = st.lists(
    st.fixed_dictionaries(
        {
            "lr": st.sampled_from([0.1, 0.2]),
            "seed": st.integers(0, 2),
            "source": SOURCES,
        }
    )
)


@settings(max_examples=100, deadline=None)
@given(RUNS)
def test_groups_and_pairs_are_those_of_a_search_by_hand(runs: list[dict[str, object]]):
    groups = grouped_by(runs, lambda run: same_but(run, "seed"))
    assert Counter(map(str, (run for group in groups for run in group))) == Counter(map(str, runs))
    firsts = [(group[0]["lr"], group[0]["source"]) for group in groups]
    assert firsts == list(dict.fromkeys((run["lr"], run["source"]) for run in runs))
    pairs = paired(runs, lambda run: same_but(run, "source"), lambda run: str(run["source"]))
    by_hand = [
        (own, live) for own in runs for live in runs if own["source"] == "cached" and live == {**own, "source": "live"}
    ]
    assert sorted(pairs, key=str) == sorted(by_hand, key=str)


def test_the_order_of_names_says_nothing():
    values = {"a": 1, "b": [1, 2], "c": None}
    mixed = dict(random.Random(0).sample(sorted(values.items()), 3))
    assert same_but(values) == same_but(mixed)
    assert same_but(values, "a") == same_but({**mixed, "a": 2}, "a") != same_but({**mixed, "b": 2}, "a")

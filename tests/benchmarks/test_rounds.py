"""Rounds of works that take turns: what one leaves behind, each of the others finds as often."""

from collections import Counter
from functools import partial
from itertools import pairwise

import torch

from teachonce.benchmarks.rounds import in_turns
from teachonce.events import SILENT

NAMES = ("ce", "constant", "cached", "live", "teacher")


def order(rounds: int, warm_up: int = 0) -> list[str]:
    done: list[str] = []
    works = {name: partial(done.append, name) for name in NAMES}
    with SILENT.task("turns", total=rounds + warm_up) as task:
        times = in_turns(works, rounds, warm_up, torch.device("cpu"), task)
    assert all(len(times[name]) == rounds and min(times[name]) > 0 for name in NAMES)
    return done


def test_each_round_has_each_work_once():
    done = order(7, warm_up=2)
    turns = [done[start : start + len(NAMES)] for start in range(0, len(done), len(NAMES))]
    assert len(turns) == 9
    assert all(sorted(turn) == sorted(NAMES) for turn in turns)
    assert done == order(7, warm_up=2)


def test_each_work_follows_each_other_about_as_often():
    rounds = 200
    after = Counter(pair for pair in pairwise(order(rounds)) if pair[0] != pair[1])
    expected = rounds / len(NAMES)  # that a work comes right after a certain other, of rounds in which it could
    assert len(after) == len(NAMES) * (len(NAMES) - 1)
    assert all(0.5 * expected < count < 1.6 * expected for count in after.values())

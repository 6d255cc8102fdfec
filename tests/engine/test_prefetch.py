"""Work ahead: in order, bounded, errors handed over, no thread left."""

import threading

import pytest

from teachonce.engine.prefetch import Prefetch


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "teachonce-prefetch"]


def test_in_order_and_ends_twice():
    ahead = Prefetch(range(20), lambda n: n * n, depth=2)
    assert list(ahead) == [n * n for n in range(20)]
    assert list(ahead) == []


def test_an_error_reaches_the_user():
    ahead = Prefetch([1, 0], lambda n: 1 / n)
    assert next(ahead) == 1
    with pytest.raises(ZeroDivisionError):
        next(ahead)
    assert list(ahead) == []


def test_bounded_and_closed():
    done = []
    ahead = Prefetch(range(1000), lambda n: done.append(n) or n, depth=3)
    assert next(ahead) == 0
    ahead.close()
    assert len(done) <= 10
    assert not threads()

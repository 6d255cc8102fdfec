"""Memory with the data of an epoch: what the engine keeps grows with the rows, what it streams is not there."""

from dataclasses import replace

import pytest

from teachonce.benchmarks.live.doubts import doubts_of_images
from teachonce.benchmarks.live.epoch import Kept, Scale, kept
from teachonce.benchmarks.live.records import ArmResult, Arms, MethodResult, Placed
from teachonce.data.memory import where_kept
from tests.benchmarks.livemade import Key, ready

CACHED = replace(ready(Key("cached", "kd")), image_bytes=1000, target_bytes=100, targets="device")
CONSTANT = replace(CACHED, target_bytes=0, targets="none")


def scale(**changed: int) -> Scale:
    return Scale(**{"rows": 10, "epoch_rows": 1000, "host_budget": 10**6, "device_budget": 10**6} | changed)


def test_what_is_kept_grows_with_the_rows():
    assert kept(CACHED) == Kept(images=1000, targets=100)
    assert scale().kept(CACHED) == Kept(images=100_000, targets=10_000)
    assert scale(epoch_rows=10).kept(CACHED) == kept(CACHED)
    assert scale().kept(CONSTANT) == Kept(images=100_000, targets=0)


@pytest.mark.parametrize(
    ("budgets", "images", "there"),
    [
        ({"device_budget": 99_999}, "host", Kept(images=0, targets=10_000)),
        ({"host_budget": 129_999}, "streamed", Kept(images=0, targets=10_000)),
        ({"host_budget": 130_000}, "device", Kept(images=100_000, targets=10_000)),
    ],
)
def test_images_that_do_not_fit_the_engines_budget_are_not_there(budgets: dict[str, int], images: str, there: Kept):
    found = scale(**budgets)
    assert (found.images(CACHED), found.kept(CACHED)) == (images, there)


def test_what_is_streamed_already_stays_so():
    streamed = replace(CACHED, images="streamed", image_bytes=0, targets="mapped", target_bytes=0)
    assert scale().images(streamed) == "streamed"
    assert kept(streamed) == scale().kept(streamed) == Kept(images=0, targets=0)
    assert kept(replace(CACHED, images="host")).images == 0


def test_budgets_are_those_of_a_training_that_is_alone():
    later = replace(CACHED, host_budget_bytes=5, device_budget_bytes=7)
    first = replace(CACHED, host_budget_bytes=50, device_budget_bytes=70)
    found = Scale.of([later, first], 10, 1000)
    assert (found.host_budget, found.device_budget) == (50, 70)


def test_images_are_streamed_as_soon_as_they_might_not_fit():
    assert where_kept(100, host=130, device=100) == "device"
    assert where_kept(100, host=129, device=100) == "streamed"
    assert where_kept(100, host=130, device=99) == "host"


def method(then: str = "device", **places: str) -> MethodResult:
    """Arms whose images are in such places, and in an epoch where `then` says."""
    arms = {
        arm: ArmResult(
            step_ms=1.0,
            epoch_s=1.0,
            images=Placed(where=places.get(arm, "device"), bytes=0),
            images_at_epoch=Placed(where=then, bytes=0),
        )
        for arm in ("constant", "cached", "live")
    }
    never = {"break_even_epochs": None, "pays": "live", "verdict": "", "stage_one_s": 1.0, "store_bytes": 1}
    return MethodResult(arms=Arms(**arms), speedup=1.0, **never)


def test_arms_that_keep_their_images_elsewhere_do_not_compare():
    assert doubts_of_images([method()], 10, 1000) == []
    (told,) = doubts_of_images([method(cached="host")], 10, 1000)
    assert "cached host" in told


def test_an_epoch_that_is_read_in_another_way_is_told_of():
    found = method(then="streamed")
    (told,) = doubts_of_images([method(), found, found], 10, 1000)
    assert told.startswith("images were kept in memory (device), 10 rows of them; an epoch's 1,000 would be streamed")

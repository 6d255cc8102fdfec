"""Memory with the data of an epoch: what the engine keeps grows with the rows, what it streams is not there."""

from dataclasses import replace

import pytest

from teachonce.benchmarks.live.doubts import doubts_of_data
from teachonce.benchmarks.live.epoch import Kept, Scale, kept
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
    ("budgets", "images", "targets", "there"),
    [
        ({"device_budget": 99_999}, "host", "device", Kept(images=0, targets=10_000)),
        ({"device_budget": 9_999}, "host", "device", Kept(images=0, targets=10_000)),
        ({"host_budget": 129_999}, "streamed", "device", Kept(images=0, targets=10_000)),
        ({"host_budget": 130_000}, "device", "device", Kept(images=100_000, targets=10_000)),
    ],
)
def test_what_does_not_fit_the_engines_budget_is_not_there(
    budgets: dict[str, int], images: str, targets: str, there: Kept
):
    found = scale(**budgets)
    assert (found.images(CACHED), found.targets(CACHED), found.kept(CACHED)) == (images, targets, there)


def test_targets_beyond_their_budget_are_mapped():
    assert scale().targets(replace(CACHED, target_budget_bytes=10_000)) == "device"
    small = replace(CACHED, target_budget_bytes=9_999)
    assert (scale().targets(small), scale().kept(small)) == ("mapped", Kept(images=100_000, targets=0))


def test_what_is_streamed_already_stays_so():
    streamed = replace(CACHED, images="streamed", image_bytes=0, targets="mapped", target_bytes=0)
    assert (scale().images(streamed), scale().targets(streamed)) == ("streamed", "mapped")
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


def method(**places: str) -> dict[str, object]:
    """Arms whose images are in such places, and in an epoch in the device's memory."""
    there, none = {"where": "device"}, {"where": "none"}
    arms = {}
    for arm in ("constant", "cached", "live"):
        images = {"where": places.get(arm, "device")}
        arms[arm] = {"images": images, "images_at_epoch": there, "targets": none, "targets_at_epoch": none}
    return {"arms": arms}


def test_arms_that_keep_their_images_elsewhere_do_not_compare():
    assert doubts_of_data({"kd": method()}, 10, 1000) == []
    (told,) = doubts_of_data({"kd": method(cached="host")}, 10, 1000)
    assert "cached host" in told


def test_an_epoch_that_is_read_in_another_way_is_told_of():
    found = method()
    found["arms"]["cached"] |= {"targets": {"where": "device"}, "targets_at_epoch": {"where": "mapped"}}
    (told,) = doubts_of_data({"clip-embed-kd": method(), "kd": found, "cifd": found}, 10, 1000)
    assert told.startswith("targets were kept in memory (device), 10 rows of them; an epoch's 1,000 would be mapped")

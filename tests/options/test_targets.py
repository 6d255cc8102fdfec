"""`--targets`: all targets in one list, as `--target` with `--rdm` or `--assistants` would name them."""

from pathlib import Path
from typing import Any

import pytest

from teachonce.errors import InputError
from teachonce.options.identity import values_of
from teachonce.options.train import TrainOptions
from teachonce.options.words import given_options
from teachonce.pipeline.recipe import load_recipe
from teachonce.pipeline.steps import make_steps

RECIPE = """
[data]
train = "digits"
[teacher]
model = "cnn-2"
[store]
path = "s.zarr"
[[rdm]]
distortion_weight = [10.0, 1.0]
[[train]]
student = "cnn-2"
method = "cifd"
targets = "teacher,rdm-10,rdm-1"
"""


def options(**given: Any) -> TrainOptions:
    return TrainOptions(data="digits", student="cnn-2", out=Path("run"), **given)


def test_the_same_as_naming_each():
    by_list = options(method="cifd", targets=("teacher", "rdm-10", "rdm-1"))
    by_name = options(method="cifd", rdm=("rdm-10", "rdm-1"))
    assert by_list == by_name
    assert values_of(by_list) == values_of(by_name)
    assert given_options(by_list) == given_options(by_name)
    assert by_list.extras == ("rdm-10", "rdm-1")
    assert options(method="dgkd", targets=("big", "a", "b")) == options(
        method="dgkd", target="big", assistants=("a", "b")
    )
    assert options(method="kd+cifd", targets=("teacher", "r")).rdm == ("r",)
    assert options(method="kd", targets=("other",)).target == "other"


@pytest.mark.parametrize(
    "given",
    [
        {"method": "kd", "targets": ("teacher", "rdm-10")},
        {"method": "cifd", "targets": ("teacher", "rdm-10"), "rdm": ("rdm-1",)},
        {"method": "cifd", "targets": ("teacher", "rdm-10"), "target": "other"},
        {"method": "none-such", "targets": ("teacher", "rdm-10")},
    ],
)
def test_what_cannot_be(given: dict[str, Any]):
    with pytest.raises(InputError):
        options(**given)


def test_in_a_recipe(tmp_path: Path):
    (tmp_path / "r.toml").write_text(RECIPE)
    steps = make_steps(load_recipe(tmp_path / "r.toml"))
    (step,) = (step for step in steps if step.verb == "train")
    assert step.training.options.rdm == ("rdm-10", "rdm-1")
    assert step.reads == ("teacher", "rdm-10", "rdm-1")
    assert step.name.endswith("rdm=10+1")
    assert {"rdm 10,1", "embed"} & {each.name for each in steps}

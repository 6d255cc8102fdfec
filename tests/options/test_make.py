"""Options objects: what is accepted, what is refused, and that an object is checked as options by name are."""

from pathlib import Path

import numpy as np
import pytest
import torch

import teachonce
from teachonce.errors import InputError
from teachonce.options.embed import EmbedOptions
from teachonce.options.make import make, typed
from teachonce.options.opt import options_of
from teachonce.options.rdm import RdmOptions
from teachonce.options.runs import ReportOptions
from teachonce.options.train import TrainOptions

TRAIN = {"data": "digits", "student": "cnn-2", "out": "run"}


@pytest.mark.parametrize(
    ("kind", "name", "given", "value"),
    [
        (TrainOptions, "out", "runs/a", Path("runs/a")),
        (TrainOptions, "student", Path("models/s"), "models/s"),
        (TrainOptions, "lr", 1, 1.0),
        (TrainOptions, "epochs", np.int64(3), 3),
        (TrainOptions, "milestones", [3, 5], (3, 5)),
        (TrainOptions, "milestones", "3, 5", (3, 5)),
        (TrainOptions, "milestones", 3, (3,)),
        (TrainOptions, "milestones", np.array([3, 5]), (3, 5)),
        (TrainOptions, "milestones", torch.tensor([3, 5]), (3, 5)),
        (TrainOptions, "milestones", np.int64(3), (3,)),
        (TrainOptions, "milestones", (each for each in (3, 5)), (3, 5)),
        (TrainOptions, "milestones", {3: "a", 5: "b"}.keys(), (3, 5)),
        (TrainOptions, "rdm", "rdm-10, rdm-1", ("rdm-10", "rdm-1")),
        (TrainOptions, "rdm", "", ()),
        (TrainOptions, "out", "a\udcff", Path("a\udcff")),
        (TrainOptions, "settings", {"per_class": 5, "ibm": True, "x": 0.5}, {"per_class": 5, "ibm": True, "x": 0.5}),
        (TrainOptions, "settings", {"x": np.float32(0.5), "ibm": np.bool_(True)}, {"x": 0.5, "ibm": True}),
        (TrainOptions, "settings", None, {}),
        (RdmOptions, "distortion_weight", 10, (10.0,)),
        (RdmOptions, "distortion_weight", np.array([10, 0.5]), (10.0, 0.5)),
        (EmbedOptions, "per_class", "all", None),
        (EmbedOptions, "per_class", None, None),
        (ReportOptions, "places", "runs/a,b", (Path("runs/a,b"),)),
        (ReportOptions, "out", [Path("a.html"), "b.md"], (Path("a.html"), Path("b.md"))),
    ],
)
def test_a_value_is_taken_in_the_type_of_its_option(kind: type, name: str, given: object, value: object):
    found = typed(options_of(kind)[name], given)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "name", "given"),
    [
        (TrainOptions, "epochs", 0),
        (TrainOptions, "epochs", "3"),
        (TrainOptions, "epochs", True),
        (TrainOptions, "epochs", 2.5),
        (TrainOptions, "lr", float("nan")),
        (TrainOptions, "lr", True),
        (TrainOptions, "tf32", 1),
        (TrainOptions, "schedule", "linear"),
        (TrainOptions, "student", 3),
        (TrainOptions, "student", None),
        (TrainOptions, "milestones", "3,,5"),
        (TrainOptions, "milestones", [3, 5.5]),
        (TrainOptions, "milestones", b"35"),
        (TrainOptions, "milestones", {3: 5}),
        (TrainOptions, "milestones", np.array([[3, 5]])),
        (TrainOptions, "epochs", np.array([3, 5])),
        (TrainOptions, "epochs", torch.tensor([3, 5])),
        (TrainOptions, "lr", 0),
        (TrainOptions, "gamma", 0.0),
        (TrainOptions, "clip_norm", -1.0),
        (TrainOptions, "density_lr", 0.0),
        (TrainOptions, "settings", {"temperature": [1, 2]}),
        (TrainOptions, "label_smoothing", 1.5),
        (RdmOptions, "distortion_weight", ["ten"]),
        (RdmOptions, "temperature", 0.0),
        (RdmOptions, "ce_weight", -1.0),
        (RdmOptions, "kl_weight", -1.0),
        (EmbedOptions, "per_class", "some"),
    ],
)
def test_what_is_no_value_of_an_option_is_refused(kind: type, name: str, given: object):
    with pytest.raises(ValueError, match="expected"):
        typed(options_of(kind)[name], given)


def test_all_problems_are_told_at_once():
    with pytest.raises(InputError) as caught:
        make(TrainOptions, {**TRAIN, "epochs": 0, "lr": "high", "schedule": "linear"})
    assert all(name in caught.value.message for name in ("epochs", "lr", "schedule"))


def test_names_are_those_of_the_options():
    with pytest.raises(TypeError, match=r"epoch.*epochs"):
        make(TrainOptions, {**TRAIN, "epoch": 3})
    with pytest.raises(TypeError, match="out"):
        make(TrainOptions, {"data": "digits", "student": "cnn-2"})


def test_an_options_object_is_checked_too(tmp_path: Path):
    wrong = TrainOptions(data="digits", student="cnn-2", out=tmp_path / "run", epochs=0)
    with pytest.raises(InputError, match="epochs"):
        teachonce.train(wrong)
    with pytest.raises(TypeError):
        teachonce.train(wrong, epochs=3)
    assert not list(tmp_path.iterdir())

"""Methods by name, and their settings: read, refused, told."""

from typing import Any

import pytest

from teachonce.errors import InputError
from teachonce.methods import make_method
from teachonce.methods.base import method_class
from teachonce.options.methods import METHODS


def test_an_unknown_method_gets_the_nearest_name_and_all_of_them():
    with pytest.raises(InputError, match="no method 'clip-embedkd'") as caught:
        make_method("clip-embedkd")
    assert (
        caught.value.mend
        == "Did you mean clip-embed-kd? There are: ce, cifd, clip-embed-kd, clip-teacher-kd, dgkd, kd, vanilla-kd"
    )


def test_unknown_settings_are_told_all_at_once():
    with pytest.raises(InputError, match="method kd has no setting 'temprature', 'alpha'") as caught:
        make_method("kd", {"temprature": 4, "alpha": 1})
    assert "Did you mean temperature?" in caught.value.mend
    assert "kd_weight" in caught.value.mend


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("kd", {"temperature": "warm"}, "kd.temperature must be a number, got 'warm'"),
        ("kd", {"temperature": 0}, "kd.temperature must be positive, got 0"),
        ("kd", {"temperature": "nan"}, "kd.temperature must be positive, got nan"),
        ("kd", {"kd_weight": -1}, "kd.kd_weight must be zero or positive"),
        ("kd", {"temperature": True}, "kd.temperature must be a number, got True"),
        ("ce", {"label_smoothing": 1}, r"ce.label_smoothing must be in \[0, 1\)"),
        ("clip-embed-kd", {"learn_scale": "maybe"}, "must be true or false, got 'maybe'"),
        ("clip-embed-kd", {"direction": "student-teacher"}, "direction cannot be 'student-teacher'"),
        ("clip-embed-kd", {"scale": 101}, r"scale must be in \(0, 100\], got 101"),
        ("clip-embed-kd", {"per_class": 0}, "clip-embed-kd.per_class must be at least 1, got 0"),
        ("clip-embed-kd", {"per_class": "-3"}, "clip-embed-kd.per_class must be at least 1, got -3"),
        ("clip-embed-kd", {"per_class": 2.5}, "clip-embed-kd.per_class must be a whole number or all, got 2.5"),
        ("clip-embed-kd", {"per_class": "most"}, "per_class must be a whole number or all, got 'most'"),
        ("clip-embed-kd", {"per_class": True}, "per_class must be a whole number or all, got True"),
        ("clip-teacher-kd", {"per_class": 5}, "method clip-teacher-kd has no setting 'per_class'"),
        ("vanilla-kd", {"ce_weight": -1}, "vanilla-kd.ce_weight must be zero or positive"),
        ("vanilla-kd", {"kd_weight": "inf"}, "vanilla-kd.kd_weight must be zero or positive"),
        ("ce", {"kdd.temperature": 1}, "no method 'kdd'"),
        ("ce", {"kd.temprature": 1}, "method kd has no setting 'temprature'"),
        ("kd", {"temperature": 1, "kd.temperature": 2}, "temperature of kd is set twice"),
    ],
)
def test_wrong_settings(name: str, settings: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        make_method(name, settings)


def test_text_takes_the_settings_type():
    method = make_method("clip-teacher-kd", {"scale": "5", "learn_scale": "no", "symmetric": "TRUE"})
    assert (method.settings.scale, method.settings.learn_scale, method.settings.symmetric) == (5.0, False, True)


def test_a_prefix_names_the_method_and_others_are_left_out():
    settings = {"kd.temperature": "2", "clip-embed-kd.scale": "5"}
    assert make_method("kd", settings).settings.temperature == 2.0
    assert make_method("clip-embed-kd", settings).settings.scale == 5.0
    assert make_method("ce", settings).weights == {"ce": 1.0}


@pytest.mark.parametrize("name", METHODS)
def test_each_is_registered_under_its_own_name(name: str):
    assert method_class(name).name == METHODS[name].name == name

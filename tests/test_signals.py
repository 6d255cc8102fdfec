"""The table of signals, and names that are looked up in it."""

import pytest

from teachonce.errors import InputError
from teachonce.methods.method import Method
from teachonce.signals import SIGNALS, argument, member, needs, of_rows, signal


def test_every_signal_says_its_axes():
    for name, one in SIGNALS.items():
        assert (one.name, len(set(one.axes))) == (name, len(one.axes))
        assert one.of_rows == ("row" in one.axes)


def test_families():
    assert signal("class_mean:16") is signal("class_mean") is SIGNALS["class_mean"]
    assert (argument("class_mean:16"), argument("class_mean")) == ("16", None)
    assert member({"logits", "class_mean:16"}, "class_mean") == "class_mean:16"
    assert member({"logits"}, "class_mean") is None
    assert of_rows({"logits", "class_mean:16", "image_embedding"}) == ["image_embedding", "logits"]


@pytest.mark.parametrize("name", ["logit", "logits:3", "class_means", ""])
def test_what_is_no_signal(name: str):
    with pytest.raises(InputError):
        needs("image_embedding", name)


def test_the_nearest_name_is_told():
    with pytest.raises(InputError) as caught:
        signal("image_embeding")
    assert "Did you mean image_embedding?" in caught.value.mend


def test_a_method_with_a_misspelt_signal_cannot_be_defined():
    with pytest.raises(InputError, match="logit'"):

        class _(Method):
            needs = frozenset({"logit"})

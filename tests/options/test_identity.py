"""What options say of a run's identity."""

from pathlib import Path

from teachonce.options.embed import EmbedOptions
from teachonce.options.identity import chosen_of, values_of

EMBED = EmbedOptions(teacher="cnn-2", data="digits", store=Path("s.zarr"), seed=3, views=2, augment="flip", limit=9)


def test_embed_tells_stores_apart_by_their_contents_alone():
    """Stores that exist have no values of options: one that is told by value would refuse them."""
    assert values_of(EMBED) == {}
    assert chosen_of(EMBED) == {}

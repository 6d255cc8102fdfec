"""Options in the name of data that are made, not read: `NAME:rows=512,size=32`."""

from collections.abc import Mapping

from teachonce.errors import InputError
from teachonce.options.make import near
from teachonce.texts import is_whole


def whole_options(name: str, text: str, defaults: Mapping[str, int]) -> dict[str, int]:
    """The options of `NAME:key=number,...`, those that are left out at their defaults.

    Args:
        name: NAME, for the error.
        text: What follows the colon.
        defaults: All options.

    Raises:
        InputError: An unknown option, or a value that is no whole number.
    """
    options = dict(defaults)
    for item in filter(None, (part.strip() for part in text.split(","))):
        key, _, value = item.partition("=")
        if key not in defaults or not is_whole(value):
            hint = near(key, defaults) if key not in defaults else ", expected a whole number"
            known = ",".join(f"{word}={number}" for word, number in defaults.items())
            raise InputError(f"{name}:{text}: {item!r} is not an option{hint}", f"Its options are {name}:{known}")
        options[key] = int(value)
    return options

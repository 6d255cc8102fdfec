"""What a store holds."""

from typing import Any

from teachonce.cache.describe import describe
from teachonce.cache.store import open_store
from teachonce.events import Events
from teachonce.options.stores import InspectOptions
from teachonce.options.verb import verb


@verb(InspectOptions)
def inspect(options: InspectOptions, events: Events) -> dict[str, Any]:
    """Describe a store, and list the rows that failed.

    Returns:
        See `cache.describe`; with `failed` or `data` also `failed_samples`, see `list_failed`.

    Raises:
        StoreMissingError: There is no store.
        DataError: The data cannot be used.
    """
    result = describe(options.store)
    if options.failed or options.data is not None:
        result["failed_samples"] = _failed(options)
    return result


def _failed(options: InspectOptions) -> list[dict[str, Any]]:
    from teachonce.data.open import open_samples  # of all that can be asked, only this reads data
    from teachonce.engine.failed import list_failed

    samples = None
    if options.data is not None:
        samples = open_samples(
            options.data,
            split=options.split,
            image_column=options.image_column,
            label_column="none",
            key_column=options.key_column,
            limit=options.limit,
        )
    return list_failed(open_store(options.store), samples)

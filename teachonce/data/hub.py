"""Datasets of the Hugging Face hub."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from teachonce.data.quiet import first_line
from teachonce.errors import DataError


def fetch(place: str, choose: Callable[[list[str]], str], cache_dir: str | None) -> dict[str, Any]:
    """One split of a hub dataset; the others are only named.

    Args:
        place: The dataset's id, with its configuration after a colon where it has several.
        choose: Picks one of the splits' names.
        cache_dir: Where `datasets` keeps what it fetches.

    Returns:
        The splits by name, None for those that were not chosen.

    Raises:
        DataError: It cannot be fetched and was not before, or `choose` refuses.
    """
    import datasets

    path, _, configuration = place.partition(":")
    try:
        # Without a connection the client retries for half a minute; what was fetched before needs none.
        with nullcontext() if _reachable(path) else offline():
            names = datasets.get_dataset_split_names(path, configuration or None)
            wanted = choose(names)
            loaded = datasets.load_dataset(path, configuration or None, split=wanted, cache_dir=cache_dir)
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"could not fetch the dataset {place!r}, and there is no such file or folder: {first_line(error)}",
            "Check name and connection, or give a local one: parquet:FILE, folder:DIR, disk:DIR, digits, scenes",
        ) from error
    return dict.fromkeys(names) | {wanted: loaded}


def _reachable(path: str) -> bool:
    """Whether the hub answers, whatever it says of this dataset."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        HfApi().dataset_info(path, timeout=20)
    except (HfHubHTTPError, HFValidationError):
        return True
    except Exception:  # noqa: BLE001 - its HTTP library's own errors, which change with its version
        return False
    return True


@contextmanager
def offline() -> Iterator[None]:
    """`datasets` and the hub's client without the network; then as they were."""
    import datasets
    from huggingface_hub import constants

    kept = constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = kept

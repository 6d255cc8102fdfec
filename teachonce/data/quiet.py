"""What `datasets` and the hub's client say on their own account: nothing while we use them, one line when they fail."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = ("datasets", "huggingface_hub", "fsspec", "httpx", "httpx2", "filelock")


@contextmanager
def quiet() -> Iterator[None]:
    """Switch off the progress bars and the logging of `datasets` and of the hub's client, then back as they were."""
    import datasets
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    bars, hub_bars = datasets.are_progress_bars_disabled(), are_progress_bars_disabled()
    datasets.disable_progress_bars()
    disable_progress_bars()
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if not bars:
            datasets.enable_progress_bars()
        if not hub_bars:
            enable_progress_bars()


def first_line(error: Exception) -> str:
    """The first line of what went wrong at the bottom, without its full stop."""
    cause = error
    while type(cause).__name__ == "DatasetGenerationError" and isinstance(cause.__cause__, Exception):
        cause = cause.__cause__
    return (str(cause).strip() or type(cause).__name__).splitlines()[0][:200].rstrip(".")

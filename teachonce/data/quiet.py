"""What `datasets` and the hub's client say on their own account: nothing while we use them, one line when they fail."""

from collections.abc import Iterator
from contextlib import contextmanager

from teachonce.processes.command import importing
from teachonce.processwide import silent

_LOGGERS = ("datasets", "huggingface_hub", "fsspec", "httpx", "httpx2", "filelock")


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars, warnings and logging of `datasets` and of the hub's client; then all is as it was."""
    with importing():
        import datasets
        from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    bars, hub_bars = datasets.are_progress_bars_disabled(), are_progress_bars_disabled()
    datasets.disable_progress_bars()
    disable_progress_bars()
    try:
        with silent(*_LOGGERS):
            yield
    finally:
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

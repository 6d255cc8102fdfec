"""Numbers with their units, as people read them."""

from teachonce.texts import duration_text, rate_text, share_text, size_text

__all__ = ["duration_text", "memory_text", "rate_text", "share_text", "size_text", "source_text"]


def source_text(method: str, source: str) -> str:
    """Where a training's targets came from; ce has none."""
    return "-" if method == "ce" else source


def memory_text(device: int | None, host: int | None) -> str:
    """The device's peak memory; on a CPU the process's own."""
    return f"{size_text(device)} device" if device is not None else f"{size_text(host)} process"

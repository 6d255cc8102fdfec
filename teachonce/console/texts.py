"""Numbers with their units, as people read them."""

from collections.abc import Mapping
from typing import Any

from teachonce.texts import duration_text, rate_text, share_text, size_text

__all__ = ["duration_text", "memory_text", "rate_text", "share_text", "size_text", "source_text"]


def source_text(result: Mapping[str, Any]) -> str:
    """Where a training's targets came from; ce has none."""
    return "-" if result["method"] == "ce" else str(result["source"])


def memory_text(result: Mapping[str, Any]) -> str:
    """The device's peak memory; on a CPU the process's own."""
    device, host = result.get("peak_memory_bytes"), result.get("host_memory_bytes")
    return f"{size_text(device)} device" if device is not None else f"{size_text(host)} process"

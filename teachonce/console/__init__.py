"""Everything that draws on the terminal: progress, tables, the shape of an error."""

from teachonce.console.errors import describe_error, error_text
from teachonce.console.events import RichEvents

__all__ = ["RichEvents", "describe_error", "error_text"]

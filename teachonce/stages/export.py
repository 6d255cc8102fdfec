"""A store in another format."""

from dataclasses import dataclass

from teachonce.cache.export import export as write
from teachonce.events import Events
from teachonce.options.stores import ExportOptions
from teachonce.options.verb import verb


@dataclass(frozen=True, kw_only=True)
class ExportResult:
    """What was written."""

    store: str
    out: str
    format: str


@verb(ExportOptions)
def export(options: ExportOptions, events: Events) -> ExportResult:
    """Write samples, views and all targets of a store to another format; see `cache.export`.

    Raises:
        TeachonceError: See `cache.export`.
    """
    write(options.store, options.out, options.format)
    return ExportResult(store=str(options.store), out=str(options.out), format=options.format)

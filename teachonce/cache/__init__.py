"""The store: layout, writers, readers, verification, export. NumPy and raw Zarr v3 chunks; never torch."""

from teachonce.cache.dtypes import from_stored, to_stored
from teachonce.cache.identity import fingerprint_digest
from teachonce.cache.layout import default_block_rows
from teachonce.cache.reader import TargetReader
from teachonce.cache.samples import SamplesWriter
from teachonce.cache.spec import StoreSpec
from teachonce.cache.store import Store, create_or_open, open_store
from teachonce.cache.targets import TargetRecord
from teachonce.cache.writer import TargetWriter

__all__ = [
    "SamplesWriter",
    "Store",
    "StoreSpec",
    "TargetReader",
    "TargetRecord",
    "TargetWriter",
    "create_or_open",
    "default_block_rows",
    "fingerprint_digest",
    "from_stored",
    "open_store",
    "to_stored",
]

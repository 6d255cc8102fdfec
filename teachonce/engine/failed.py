"""Which rows of a store failed, why, and what they are called where the data is at hand."""

from teachonce.cache.journal import Journal


def failed_rows(journal: Journal) -> dict[int, str]:
    """Row -> reason code, of the committed blocks of the samples or of a target; ascending."""
    return {row: code for record in journal.present().values() for row, code in record.failed}

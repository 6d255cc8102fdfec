"""Names of the arms of a benchmark, and of the parts of a step."""

from teachonce.benchmarks.live.records import PARTS

ARMS = {"student-only": "no teacher", "constant": "constant targets", "cached": "cached", "live": "live teacher"}
"""Arms in drawing order, and their names."""
STEP_PARTS = {part: part.replace("_", " ") for part in PARTS}
"""Parts of a step in order, and their names."""

"""Names of the arms of a benchmark, and of the parts of a step."""

ARMS = {"student-only": "no teacher", "constant": "constant targets", "cached": "cached", "live": "live teacher"}
"""Arms in drawing order, and their names."""
STEP_PARTS = {
    "data": "data",
    "transfer": "transfer",
    "teacher": "teacher",
    "student_forward": "student forward",
    "loss": "loss",
    "backward": "backward",
    "optimiser": "optimiser",
}
"""Parts of a step in order, and their names."""

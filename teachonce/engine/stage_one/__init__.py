"""The parts of stage one: feed decoded rows, run the teacher, write in the background."""

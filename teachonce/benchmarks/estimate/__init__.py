"""What stage one will take, told from a probe of a few batches and of the disk, before the teacher runs."""

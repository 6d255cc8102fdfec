"""The cache in a training loop of one's own: rows are found by content, and their targets read beside the data."""

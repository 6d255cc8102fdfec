"""Measurements: what the cache costs and what it saves, as ratios within one run."""

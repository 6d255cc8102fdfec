"""Live against cached: arms in processes of their own that take turns, and what their ratios say."""

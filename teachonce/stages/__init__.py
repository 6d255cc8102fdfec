"""The stages: one verb a file, each a function of the Python API; they never import each other."""

"""Figures of stores and runs. Modules here compute plain data; `draw` draws them."""

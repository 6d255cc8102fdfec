"""Datasets with stable rows, views, and their rendering on the device."""

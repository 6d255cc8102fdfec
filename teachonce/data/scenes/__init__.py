"""The built-in data `scenes`: rendered coloured shapes with counts and places, captions, and unseen combinations."""

from teachonce.data.scenes.samples import load_scenes

__all__ = ["load_scenes"]

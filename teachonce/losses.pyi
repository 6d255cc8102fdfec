"""Made by scripts/generate.py from the files of the methods: do not edit."""

from teachonce.methods.ce import ce as ce
from teachonce.methods.clip_embed_kd import clip_embed_kd as clip_embed_kd
from teachonce.methods.clip_teacher_kd import clip_teacher_kd as clip_teacher_kd
from teachonce.methods.sources import distances as distances
from teachonce.methods.sources import divergences as divergences
from teachonce.methods.kd import kd as kd
from teachonce.methods.vanilla_kd import vanilla_kd as vanilla_kd

__all__ = ["ce", "clip_embed_kd", "clip_teacher_kd", "distances", "divergences", "kd", "vanilla_kd"]

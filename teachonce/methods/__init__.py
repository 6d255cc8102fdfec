"""Distillation methods: pure losses, one small class a method, and what each needs of a teacher."""

from teachonce.methods.base import METHODS, Method, make_method, missing, require_class_means, total
from teachonce.methods.targets import StudentOut, Targets

__all__ = [
    "METHODS",
    "Method",
    "StudentOut",
    "Targets",
    "make_method",
    "missing",
    "require_class_means",
    "total",
]

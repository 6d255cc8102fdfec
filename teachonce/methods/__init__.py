"""Distillation methods, one file each: a pure loss, a small class, its settings, and what it needs of a teacher."""

from teachonce.methods.base import make_method
from teachonce.methods.method import Method, total
from teachonce.methods.requirements import missing, require_class_means
from teachonce.methods.targets import Inputs, Outputs, Targets

__all__ = ["Inputs", "Method", "Outputs", "Targets", "make_method", "missing", "require_class_means", "total"]

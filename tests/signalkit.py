"""Targets and their specs, made by hand."""

from collections.abc import Mapping

from torch import Tensor

from teachonce.engine.targets import BatchRows, TargetSource
from teachonce.methods import Targets
from teachonce.types import ArraySpec, TargetSpec

MAIN = "teacher"


def made(extras: Mapping[str, Mapping[str, Tensor]] | None = None, **signals: Tensor) -> Targets:
    """Targets of the teacher's signals, and of those of the extras."""
    all_of = {MAIN: signals, **(extras or {})}
    return Targets(MAIN, {(target, name): value for target, of in all_of.items() for name, value in of.items()})


def spec_of(name: str = MAIN, rows: int = 9, **widths: int | None) -> TargetSpec:
    """The spec of a target of one view with these signals of rows; those of width None are absent."""
    arrays = {key: ArraySpec(shape=(rows, 1, width), dtype="float16") for key, width in widths.items() if width}
    return TargetSpec(name=name, rows=rows, views=1, class_names=None, arrays=arrays)


class Renamed(TargetSource):
    """A source whose targets are given under other names."""

    def __init__(self, source: TargetSource, names: Mapping[str, str]) -> None:
        self._source, self._names = source, names
        self.specs = {self._of(name): spec for name, spec in source.specs.items()}
        self.input, self.usable = source.input, source.usable

    def _of(self, name: str) -> str:
        return self._names.get(name, name)

    def fetch(self, rows: BatchRows, view: int, images: Tensor | None) -> Targets:
        found = self._source.fetch(rows, view, images)
        return Targets(
            next(iter(self.specs)), {(self._of(target), name): found[target, name] for target, name in found}
        )


class Together(TargetSource):
    """The main targets of several sources, each under its name."""

    def __init__(self, sources: Mapping[str, TargetSource]) -> None:
        self._sources = {name: Renamed(source, {next(iter(source.specs)): name}) for name, source in sources.items()}
        self.specs = {name: spec for source in self._sources.values() for name, spec in source.specs.items()}
        self.input = next(iter(sources.values())).input

    def fetch(self, rows: BatchRows, view: int, images: Tensor | None) -> Targets:
        found = [source.fetch(rows, view, images) for source in self._sources.values()]
        return Targets(next(iter(self.specs)), {place: one[place] for one in found for place in one})

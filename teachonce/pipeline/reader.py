"""Reads the tables of a recipe, and collects what is wrong with them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from teachonce.errors import InputError
from teachonce.options.methods import METHODS, takes
from teachonce.options.train import TrainOptions
from teachonce.pipeline.expand import OF_METHOD, flatten_settings
from teachonce.pipeline.keys import Keys
from teachonce.pipeline.tables import Table, Training

Options = TypeVar("Options")
Given = TypeVar("Given")


class Reader:
    """Collects the problems of tables, each once. `where` is what a table is called in them."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def add(self, problem: str) -> None:
        """Tell of a problem."""
        if problem not in self.problems:
            self.problems.append(problem)

    def optional(self, keys: Keys[Options], raw: Mapping[str, Any], key: str) -> Table[Options] | None:
        """The table [KEY]; None where it is absent or wrong."""
        return self.table(keys, raw[key], f"[{key}]") if key in raw else None

    def table(self, keys: Keys[Options], raw: object, where: str) -> Table[Options] | None:
        """A table; None where it is wrong."""
        if not isinstance(raw, Mapping):
            self.add(f"{where} must be a table, got {raw!r}")
            return None
        given, problems = keys.read(raw)
        for problem in problems:
            self.add(f"{where} {problem}")
        return None if problems else Table(keys.options(given), given)

    def entries(self, raw: Mapping[str, Any], key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The tables of [[KEY]], each with what it is called."""
        entries = raw.get(key, [])
        if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
            self.add(f"{key} must be [[{key}]] tables, with two brackets")
            return
        for number, entry in enumerate(entries, 1):
            yield f"[[{key}]] {number}" if len(entries) > 1 else f"[[{key}]]", entry

    def single(self, keys: Keys[TrainOptions], raw: Mapping[str, Any], where: str) -> Training | None:
        """The training of a table in which a list is no choice; None where it is wrong."""
        self.settings(raw, where)
        return self.training(keys, {**raw, "set": flatten_settings(raw.get("set", {}))}, where)

    def training(self, keys: Keys[TrainOptions], raw: Mapping[str, Any], where: str) -> Training | None:
        """One training, called by its label; None where it is wrong."""
        table = self.table(keys, raw, where)
        if table is None:
            return None
        given = dict(table.given)
        label = given.pop("name", None)
        return Training(label or "", table.options, given, label)

    def settings(self, raw: Mapping[str, Any], where: str) -> None:
        """Check that a training has what its method takes, and no setting of another."""
        methods = raw.get("method", "ce")
        methods = methods if isinstance(methods, list) else [methods]
        parts = [part for method in methods for part in str(method).split("+")]
        if not isinstance(raw.get("set", {}), Mapping):
            self.add(f'{where} set must be a table such as {{"kd.temperature" = 4}}, got {raw["set"]!r}')
        for key in flatten_settings(raw.get("set", {})):
            prefix = key.rpartition(".")[0]
            if prefix not in parts:
                self.add(f"{where} set {key} is for {prefix or 'no method'}, expected METHOD.NAME of {methods}")
        for key in raw:
            if key in OF_METHOD and OF_METHOD[key] not in map(takes, map(str, methods)):
                able = ", ".join(name for name, entry in METHODS.items() if entry.takes == OF_METHOD[key])
                self.add(f"{where} {key} is for {able}, expected one of {methods}")

    def can_be(self, where: str, check: Callable[[Given], object], given: Given) -> bool:
        """Whether a check lets a value pass."""
        try:
            check(given)
        except InputError as error:
            self.add(f"{where}: {error.message}")
            return False
        return True


def underscored(raw: Any) -> Any:
    """Keys with dashes, as the command line writes them, are the keys with underscores."""
    if isinstance(raw, list):
        return [underscored(item) for item in raw]
    if not isinstance(raw, Mapping):
        return raw
    return {k.replace("-", "_"): v if k in ("set", "space") else underscored(v) for k, v in raw.items()}

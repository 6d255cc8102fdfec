"""Checks a recipe as a whole: every unknown and wrong key is found before any is told."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from teachonce.pipeline.expand import LISTS_BY_NATURE, OF_METHOD, Training, expand, flatten_settings, run_name
from teachonce.pipeline.schema import (
    AssistantTable,
    DataTable,
    RdmTable,
    ReportTable,
    RunTable,
    StoreTable,
    Table,
    TeacherTable,
    TrainTable,
    TuneTable,
)
from teachonce.pipeline.tune.dims import read_space
from teachonce.reports.write import wrong_suffix

_TABLES = ("data", "teacher", "store", "rdm", "assistant", "train", "tune", "run", "report")
_FROM_STORE = ("target", "rdm", "assistants")
TableT = TypeVar("TableT", bound=Table)


class Checker:
    """Collects the problems of a recipe, in the recipe's order, each once."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def tables(self, raw: Mapping[str, Any]) -> dict[str, Any] | None:
        """The recipe's tables as typed values; None when a needed one is wrong."""
        self._top_level(raw)
        data = self._table(DataTable, raw.get("data"), "[data]") if "data" in raw else None
        teacher, store = self._optional(TeacherTable, raw, "teacher"), self._optional(StoreTable, raw, "store")
        run = self._optional(RunTable, raw, "run") or RunTable()
        report = self._report(raw)
        rdms = tuple(self._entries(RdmTable, raw, "rdm"))
        assistants = tuple(self._entries(AssistantTable, raw, "assistant"))
        trainings = tuple(self._trainings(raw.get("train", [])))
        self._extras(store, rdms, assistants, trainings)
        tune = self._tune(raw, trainings)
        if "data" not in raw:
            self._add("[data] is needed, with train and test")
        for key in ("test_split", "test_limit"):
            if data is not None and data.test is None and key in data.model_fields_set:
                self._add(f"[data] {key} applies to test, which is missing")
        if teacher is not None and (teacher.model is None) == (teacher.train is None):
            self._add("[teacher] needs one of model and [teacher.train]")
        if teacher is not None and teacher.train is not None:
            self._trained(teacher.train)
        if teacher is not None and any(training.options.source == "live" for training in trainings):
            self._live(teacher)
        if data is None or self.problems:
            return None
        return {
            "data": data,
            "teacher": teacher,
            "store": store,
            "run": run,
            "rdms": rdms,
            "assistants": assistants,
            "trainings": trainings,
            "tune": tune,
            "report": report,
        }

    def _add(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)

    def _top_level(self, raw: Mapping[str, Any]) -> None:
        for key in raw:
            if key not in _TABLES:
                self._add(f"[{key}] is unknown{_near(key, _TABLES)}")

    def _trained(self, table: TrainTable) -> None:
        for key in _FROM_STORE:
            if key in table.model_fields_set:
                self._add(f"[teacher.train] {key} applies to a store, and a teacher is trained without one")

    def _live(self, teacher: TeacherTable) -> None:
        """With these keys the live teacher would be another than the store's."""
        for key in ("revision", "image_size"):
            if teacher.given().get(key):
                self._add(f'[teacher] {key} cannot be used with source = "live", which uses only the model')

    def _optional(self, model: type[TableT], raw: Mapping[str, Any], key: str) -> TableT | None:
        return self._table(model, raw[key], f"[{key}]") if key in raw else None

    def _table(self, model: type[TableT], raw: Any, where: str) -> TableT | None:
        if not isinstance(raw, Mapping):
            self._add(f"{where} must be a table, got {raw!r}")
            return None
        try:
            return model.model_validate(_underscored(raw))
        except ValidationError as error:
            for problem in error.errors():
                self._add(_problem(model, problem, where))
            return None

    def _entries(self, model: type[TableT], raw: Mapping[str, Any], key: str) -> Iterable[TableT]:
        """The tables of [[KEY]]; a list in them is no choice."""
        entries = raw.get(key, [])
        if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
            self._add(f"{key} must be [[{key}]] tables, with two brackets")
            return
        for number, entry in enumerate(entries, 1):
            where = f"[[{key}]] {number}" if len(entries) > 1 else f"[[{key}]]"
            entry = _underscored(entry)
            if issubclass(model, TrainTable):
                self._settings(entry, where)
                entry |= {"set": flatten_settings(entry["set"])} if "set" in entry else {}
            table = self._table(model, entry, where)
            if table is not None:
                yield table

    def _report(self, raw: Mapping[str, Any]) -> ReportTable | None:
        report = self._optional(ReportTable, raw, "report")
        for out in report.out if report is not None else ():
            if problem := wrong_suffix(Path(out)):
                self._add(f"[report] out: {problem}")
        if report is not None and not report.out:
            self._add("[report] out is an empty list")
        return report

    def _tune(self, raw: Mapping[str, Any], trainings: Sequence[Training]) -> TuneTable:
        tune = self._optional(TuneTable, raw, "tune") or TuneTable()
        if trainings:
            _, problems = read_space(tune.space, [training.options.method for training in trainings])
            for problem in problems:
                self._add(problem)
        return tune

    def _extras(
        self,
        store: StoreTable | None,
        rdms: Sequence[RdmTable],
        assistants: Sequence[AssistantTable],
        trainings: Sequence[Training],
    ) -> None:
        """Targets beside the teacher's: where they go, and that each has a name of its own."""
        tables = [training.options for training in trainings]
        wanted = any(getattr(table, key) for table in (*tables, *assistants) for key in _FROM_STORE)
        if store is None and (rdms or assistants or wanted):
            self._add("[store] is needed for the targets")
        taken = {
            "teacher",
            "logs",
            "tune",
            *([] if store is None else [store.name]),
            *(training.name for training in trainings),
        }
        for name in (*(name for table in rdms for name in table.names()), *(table.name for table in assistants)):
            if name in taken:
                self._add(f"there would be a second {name}: give each RDM and each assistant a different name")
            taken.add(name)

    def _trainings(self, raw: Any) -> Iterable[Training]:
        if not isinstance(raw, list) or not all(isinstance(entry, Mapping) for entry in raw):
            self._add("train must be [[train]] tables, with two brackets")
            return
        if not raw:
            self._add("[[train]] is needed, with a student")
        names: set[str] = set()
        for number, entry in enumerate(raw, 1):
            where = f"[[train]] {number}" if len(raw) > 1 else "[[train]]"
            for training in self._products(_underscored(entry), where):
                if training.name in names:
                    self._add(f"{where} gives a second run {training.name}: give the table a name = ...")
                names.add(training.name)
                yield training

    def _products(self, raw: Mapping[str, Any], where: str) -> Iterable[Training]:
        self._settings(raw, where)
        empty = [key for key, value in raw.items() if value == [] and key not in LISTS_BY_NATURE]
        for key in empty:
            self._add(f"{where} {key} is an empty list")
        for table, varied in expand({k: v for k, v in raw.items() if k not in empty}):
            options = self._table(TrainTable, table, where)
            if options is not None:
                yield Training(run_name(options, varied), options)

    def _settings(self, raw: Mapping[str, Any], where: str) -> None:
        methods = raw.get("method", "ce")
        methods = methods if isinstance(methods, list) else [methods]
        if not isinstance(raw.get("set", {}), Mapping):
            self._add(f'{where} set must be a table such as {{"kd.temperature" = 4}}, got {raw["set"]!r}')
        for key in flatten_settings(raw.get("set", {})):
            prefix = key.rpartition(".")[0]
            if prefix not in methods:
                self._add(f"{where} set {key} is for {prefix or 'no method'}, expected METHOD.NAME of {methods}")
        for key in raw:
            if key in OF_METHOD and OF_METHOD[key] not in methods:
                self._add(f"{where} {key} is for {OF_METHOD[key]}, expected one of {methods}")


def _underscored(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Keys with dashes, as the command line writes them, are the keys with underscores."""
    return {
        k.replace("-", "_"): _underscored(v) if isinstance(v, Mapping) and k not in ("set", "space") else v
        for k, v in raw.items()
    }


def _problem(model: type[Table], problem: Any, where: str) -> str:
    *tables, key = [part for part in problem["loc"] if isinstance(part, str)] or [""]  # no places in lists
    for name in tables:
        if name in model.model_fields and name == "train":
            model, where = TrainTable, f"{where[:-1]}.train]"
    place = f"{where} {key}"
    if problem["type"] == "extra_forbidden":
        return f"{place} is unknown{_near(key, model.model_fields)}"
    if problem["type"] == "missing":
        return f"{place} is needed"
    return f"{place}: {problem['msg'].replace('Input should be', 'expected')}, got {problem['input']!r}"


def _near(word: str, words: Iterable[str]) -> str:
    matches = get_close_matches(word, list(words), n=1)
    return f", did you mean {matches[0]}?" if matches else ""

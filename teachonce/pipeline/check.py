"""Checks a recipe as a whole: every unknown and wrong key is found before any is told."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from teachonce.cache.layout import check_name
from teachonce.engine.rdm.names import named
from teachonce.errors import InputError
from teachonce.options.embed import EmbedOptions
from teachonce.options.make import near
from teachonce.options.rdm import RdmOptions
from teachonce.options.runs import ReportOptions
from teachonce.options.train import TrainOptions
from teachonce.pipeline import tables as of
from teachonce.pipeline.expand import OF_METHOD, expand, flatten_settings, is_choice, run_name
from teachonce.pipeline.keys import Keys
from teachonce.pipeline.tables import DataTable, RunTable, Table, Teacher, Training, TuneTable
from teachonce.pipeline.tune.dims import read_space
from teachonce.reports.write import wrong_suffix

_TABLES = ("data", "teacher", "store", "rdm", "assistant", "train", "tune", "run", "report")
_FROM_STORE = ("target", "rdm", "assistants")
Options = TypeVar("Options")
Given = TypeVar("Given")


class Checker:
    """Collects the problems of a recipe, in the recipe's order, each once."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def tables(self, raw: Mapping[str, Any]) -> dict[str, Any] | None:
        """The recipe's tables as typed values; None when a needed one is wrong."""
        self._top_level(raw)
        raw = _underscored(raw)
        data, teacher = self._data(raw), self._teacher(raw)
        store, run = self._optional(of.STORE, raw, "store"), self._optional(of.RUN, raw, "run")
        report = self._report(raw)
        rdms = tuple(self._rdms(raw))
        assistants = tuple(self._assistants(raw))
        trainings = tuple(self._trainings(raw))
        self._extras(store, rdms, assistants, trainings)
        tune = self._tune(raw, trainings)
        if teacher is not None and any(training.options.source == "live" for training in trainings):
            self._live(teacher)
        if data is None or self.problems:
            return None
        return {
            "data": data,
            "teacher": teacher,
            "store": store,
            "run": RunTable() if run is None else run.options,
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
                self._add(f"[{key}] is unknown{near(key, _TABLES)}")

    # Single tables

    def _data(self, raw: Mapping[str, Any]) -> DataTable | None:
        if "data" not in raw:
            self._add("[data] is needed, with train and test")
        data = self._optional(of.DATA, raw, "data")
        if data is None:
            return None
        for key in ("test_split", "test_limit"):
            if data.options.test is None and key in data.given:
                self._add(f"[data] {key} applies to test, which is missing")
        return data.options

    def _teacher(self, raw: Mapping[str, Any]) -> Teacher | None:
        own = raw["teacher"].get("train") if isinstance(raw.get("teacher"), Mapping) else None
        training = self._single(of.TRAIN, own, "[teacher.train]") if isinstance(own, Mapping) else None
        for key in _FROM_STORE:
            if training is not None and key in training.given:
                self._add(f"[teacher.train] {key} applies to a store, and a teacher is trained without one")
        table = self._optional(of.TEACHER, raw, "teacher")
        if table is None:
            return None
        if ("teacher" in table.given) == (own is not None):
            self._add("[teacher] needs one of model and [teacher.train]")
        given = {name: value for name, value in table.given.items() if name != "train"}
        return Teacher(table.options, given, training)

    def _live(self, teacher: Teacher) -> None:
        """With these keys the live teacher would be another than the store's."""
        for key in ("revision", "image_size"):
            if teacher.given.get(key):
                self._add(f'[teacher] {key} cannot be used with source = "live", which uses only the model')

    def _report(self, raw: Mapping[str, Any]) -> ReportOptions | None:
        report = self._optional(of.REPORT, raw, "report")
        if report is None:
            return None
        for out in report.options.out:
            if problem := wrong_suffix(out):
                self._add(f"[report] out: {problem}")
        if not report.options.out:
            self._add("[report] out is an empty list")
        return report.options

    def _tune(self, raw: Mapping[str, Any], trainings: Sequence[Training]) -> TuneTable:
        table = self._optional(of.TUNE, raw, "tune")
        tune = TuneTable() if table is None else table.options
        if trainings:
            _, problems = read_space(tune.space, [training.options.method for training in trainings])
            for problem in problems:
                self._add(problem)
        return tune

    def _optional(self, keys: Keys[Options], raw: Mapping[str, Any], key: str) -> Table[Options] | None:
        return self._table(keys, raw[key], f"[{key}]") if key in raw else None

    def _table(self, keys: Keys[Options], raw: object, where: str) -> Table[Options] | None:
        if not isinstance(raw, Mapping):
            self._add(f"{where} must be a table, got {raw!r}")
            return None
        given, problems = keys.read(raw)
        for problem in problems:
            self._add(f"{where} {problem}")
        return None if problems else Table(keys.options(given), given)

    # Arrays of tables

    def _entries(self, raw: Mapping[str, Any], key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The tables of [[KEY]], each with what it is called."""
        entries = raw.get(key, [])
        if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
            self._add(f"{key} must be [[{key}]] tables, with two brackets")
            return
        for number, entry in enumerate(entries, 1):
            yield f"[[{key}]] {number}" if len(entries) > 1 else f"[[{key}]]", entry

    def _rdms(self, raw: Mapping[str, Any]) -> Iterator[Table[RdmOptions]]:
        for where, entry in self._entries(raw, "rdm"):
            table = self._table(of.RDM, entry, where)
            if table is not None and self._can_be(f"{where} distortion_weight", named, table.options.distortion_weight):
                yield table

    def _assistants(self, raw: Mapping[str, Any]) -> Iterator[Training]:
        for where, entry in self._entries(raw, "assistant"):
            training = self._single(of.ASSISTANT, entry, where)
            if training is not None and self._can_be(f"{where} name", check_name, training.name):
                yield training

    def _trainings(self, raw: Mapping[str, Any]) -> Iterator[Training]:
        if raw.get("train", []) == []:
            self._add("[[train]] is needed, with a student")
        names: set[str] = set()
        for where, entry in self._entries(raw, "train"):
            for training in self._products(entry, where):
                if training.name in names:
                    self._add(f"{where} gives a second run {training.name}: give the table a name = ...")
                names.add(training.name)
                yield training

    def _products(self, raw: Mapping[str, Any], where: str) -> Iterator[Training]:
        self._settings(raw, where)
        empty = [key for key, value in raw.items() if value == [] and is_choice(key, value)]
        for key in empty:
            self._add(f"{where} {key} is an empty list")
        for table, varied in expand({k: v for k, v in raw.items() if k not in empty}):
            training = self._training(of.TRAIN, table, where)
            if training is not None:
                yield replace(training, name=run_name(training, varied))

    def _single(self, keys: Keys[TrainOptions], raw: Mapping[str, Any], where: str) -> Training | None:
        """A training of a table in which a list is no choice."""
        self._settings(raw, where)
        return self._training(keys, {**raw, "set": flatten_settings(raw.get("set", {}))}, where)

    def _training(self, keys: Keys[TrainOptions], raw: Mapping[str, Any], where: str) -> Training | None:
        table = self._table(keys, raw, where)
        if table is None:
            return None
        given = dict(table.given)
        label = given.pop("name", None)
        return Training(label or "", table.options, given, label)

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

    def _can_be(self, where: str, check: Callable[[Given], object], given: Given) -> bool:
        try:
            check(given)
        except InputError as error:
            self._add(f"{where}: {error.message}")
            return False
        return True

    # All tables together

    def _extras(
        self,
        store: Table[EmbedOptions] | None,
        rdms: Sequence[Table[RdmOptions]],
        assistants: Sequence[Training],
        trainings: Sequence[Training],
    ) -> None:
        """Targets beside the teacher's: where they go, and that each has a name of its own."""
        wanted = any(training.given.get(key) for training in (*trainings, *assistants) for key in _FROM_STORE)
        if store is None and (rdms or assistants or wanted):
            self._add("[store] is needed for the targets")
        own = [] if store is None else [store.options.name]
        taken = {"teacher", "logs", "tune", *own, *(training.name for training in trainings)}
        made = [name for table in rdms for name in named(table.options.distortion_weight)]
        for name in (*made, *(training.name for training in assistants)):
            if name in taken:
                self._add(f"there would be a second {name}: give each RDM and each assistant a different name")
            taken.add(name)


def _underscored(raw: Any) -> Any:
    """Keys with dashes, as the command line writes them, are the keys with underscores."""
    if isinstance(raw, list):
        return [_underscored(item) for item in raw]
    if not isinstance(raw, Mapping):
        return raw
    return {k.replace("-", "_"): v if k in ("set", "space") else _underscored(v) for k, v in raw.items()}

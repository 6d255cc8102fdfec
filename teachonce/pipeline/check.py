"""Checks a recipe as a whole: every unknown and wrong key is found before any is told."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from teachonce.cache.layout import check_name
from teachonce.engine.rdm.names import named
from teachonce.options.embed import EmbedOptions
from teachonce.options.make import near
from teachonce.options.rdm import RdmOptions
from teachonce.options.runs import ReportOptions
from teachonce.pipeline import tables as of
from teachonce.pipeline.expand import expand, is_choice, run_name
from teachonce.pipeline.reader import Reader, underscored
from teachonce.pipeline.tables import DataTable, RunTable, Table, Teacher, Training, TuneTable
from teachonce.pipeline.tune.dims import read_space
from teachonce.reports.write import wrong_suffix

_TABLES = ("data", "teacher", "store", "rdm", "assistant", "train", "tune", "run", "report")
_FROM_STORE = ("target", "rdm", "assistants")


class Checker(Reader):
    """Collects the problems of a recipe, in the recipe's order, each once."""

    def tables(self, raw: Mapping[str, Any]) -> dict[str, Any] | None:
        """The recipe's tables as typed values; None when a needed one is wrong."""
        self._top_level(raw)
        raw = underscored(raw)
        data, teacher = self._data(raw), self._teacher(raw)
        store, run = self.optional(of.STORE, raw, "store"), self.optional(of.RUN, raw, "run")
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

    def _top_level(self, raw: Mapping[str, Any]) -> None:
        for key in raw:
            if key not in _TABLES:
                self.add(f"[{key}] is unknown{near(key, _TABLES)}")

    # Single tables

    def _data(self, raw: Mapping[str, Any]) -> DataTable | None:
        if "data" not in raw:
            self.add("[data] is needed, with train and test")
        data = self.optional(of.DATA, raw, "data")
        if data is None:
            return None
        for key in ("test_split", "test_limit"):
            if data.options.test is None and key in data.given:
                self.add(f"[data] {key} applies to test, which is missing")
        return data.options

    def _teacher(self, raw: Mapping[str, Any]) -> Teacher | None:
        own = raw["teacher"].get("train") if isinstance(raw.get("teacher"), Mapping) else None
        training = self.single(of.TRAIN, own, "[teacher.train]") if isinstance(own, Mapping) else None
        for key in _FROM_STORE:
            if training is not None and key in training.given:
                self.add(f"[teacher.train] {key} applies to a store, and a teacher is trained without one")
        table = self.optional(of.TEACHER, raw, "teacher")
        if table is None:
            return None
        if ("teacher" in table.given) == (own is not None):
            self.add("[teacher] needs one of model and [teacher.train]")
        given = {name: value for name, value in table.given.items() if name != "train"}
        return Teacher(table.options, given, training)

    def _live(self, teacher: Teacher) -> None:
        """With these keys the live teacher would be another than the store's."""
        for key in ("revision", "image_size"):
            if teacher.given.get(key):
                self.add(f'[teacher] {key} cannot be used with source = "live", which uses only the model')

    def _report(self, raw: Mapping[str, Any]) -> ReportOptions | None:
        report = self.optional(of.REPORT, raw, "report")
        if report is None:
            return None
        for out in report.options.out:
            if problem := wrong_suffix(out):
                self.add(f"[report] out: {problem}")
        if not report.options.out:
            self.add("[report] out is an empty list")
        return report.options

    def _tune(self, raw: Mapping[str, Any], trainings: Sequence[Training]) -> TuneTable:
        table = self.optional(of.TUNE, raw, "tune")
        tune = TuneTable() if table is None else table.options
        if trainings:
            _, problems = read_space(
                tune.space, [part for training in trainings for part in training.options.method.split("+")]
            )
            for problem in problems:
                self.add(problem)
        return tune

    # Arrays of tables

    def _rdms(self, raw: Mapping[str, Any]) -> Iterator[Table[RdmOptions]]:
        for where, entry in self.entries(raw, "rdm"):
            table = self.table(of.RDM, entry, where)
            if table is not None and self.can_be(f"{where} distortion_weight", named, table.options.distortion_weight):
                yield table

    def _assistants(self, raw: Mapping[str, Any]) -> Iterator[Training]:
        for where, entry in self.entries(raw, "assistant"):
            training = self.single(of.ASSISTANT, entry, where)
            if training is not None and self.can_be(f"{where} name", check_name, training.name):
                yield training

    def _trainings(self, raw: Mapping[str, Any]) -> Iterator[Training]:
        if raw.get("train", []) == []:
            self.add("[[train]] is needed, with a student")
        names: set[str] = set()
        for where, entry in self.entries(raw, "train"):
            for training in self._products(entry, where):
                if training.name in names:
                    self.add(f"{where} gives a second run {training.name}: give the table a name = ...")
                names.add(training.name)
                yield training

    def _products(self, raw: Mapping[str, Any], where: str) -> Iterator[Training]:
        self.settings(raw, where)
        empty = [key for key, value in raw.items() if value == [] and is_choice(key, value)]
        for key in empty:
            self.add(f"{where} {key} is an empty list")
        for table, varied in expand({k: v for k, v in raw.items() if k not in empty}):
            training = self.training(of.TRAIN, table, where)
            if training is not None:
                yield replace(training, name=run_name(training, varied))

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
            self.add("[store] is needed for the targets")
        own = [] if store is None else [store.options.name]
        taken = {"teacher", "logs", "tune", *own, *(training.name for training in trainings)}
        made = [name for table in rdms for name in named(table.options.distortion_weight)]
        for name in (*made, *(training.name for training in assistants)):
            if name in taken:
                self.add(f"there would be a second {name}: give each RDM and each assistant a different name")
            taken.add(name)

"""Files of a run, a store or a benchmark that are none: one error of a kind that scripts can tell, never a hang."""

import json
import resource
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import safetensors.torch
from foreignkit import edit
from hostile import JSON, LINES, NO_FILE, OTHER, TENSORS, Change, changed, places
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from teachonce import fsio
from teachonce.cache.describe import describe
from teachonce.cache.export import export
from teachonce.cache.store import open_store
from teachonce.digests import digest_hex
from teachonce.engine.stage_one.runs import run_lines, runs_path
from teachonce.errors import CorruptError, ModelError, TeachonceError
from teachonce.models.students import build_student, load_student, save_student
from teachonce.models.teacher import load_teacher
from teachonce.pipeline.run import run
from teachonce.plots.figure import blank, save
from teachonce.plots.make import plot_cost, plot_tsne
from teachonce.reports.build import build_page
from teachonce.reports.make import report
from teachonce.stages.embed import embed
from teachonce.stages.evaluate import evaluate
from tests.reports.reportkit import case, live_json, make_run, method_result
from tests.stages.trainkit import quick

HERE: dict[str, Any] = {"data": "digits", "limit": 60, "device": "cpu", "workers": 0}
RUN, STORE = Path("run"), Path("s.zarr")


def resume() -> None:
    """Go on with a run that lacks its result."""
    (RUN / "result.json").unlink(missing_ok=True)
    quick(RUN, limit=60, epochs=1, batch_size=16)


CALLS: dict[str, Callable[[], object]] = {
    "evaluate": lambda: evaluate(run=RUN, split="test", **HERE),
    "embed": lambda: embed(teacher=RUN, store="new.zarr", **HERE),
    "train": lambda: quick(RUN, limit=60, epochs=1, batch_size=16),
    "resume": resume,
    "report": lambda: report(RUN, out="report.md"),
    "plot": lambda: plot_cost(runs=[RUN], out="cost.svg"),
    "inspect": lambda: describe(STORE),
    "evaluate a store": lambda: evaluate(store=STORE),
    "train from": lambda: quick(Path("new"), limit=60, epochs=1, batch_size=16, store=STORE, method="kd"),
    "export": lambda: export(STORE, Path("out.h5"), "hdf5"),
    "report a store": lambda: report(STORE, out="report.md"),
    "plot a store": lambda: plot_tsne(store=STORE, targets=["teacher"], out=Path("t.svg")),
    "embed into": lambda: embed(teacher=RUN, store=STORE, name="second", **HERE),
    "verify": lambda: open_store(STORE).verify(),
    "run": lambda: run("recipe.toml", dry_run=True),
}
FILES: dict[str, tuple[tuple[Change, ...], tuple[str, ...]]] = {
    "run/run.json": (JSON, ("evaluate", "embed", "train", "report", "plot")),
    "run/result.json": (JSON, ("evaluate", "train", "report", "plot")),
    "run/evaluation.json": (JSON, ("report", "plot")),
    "run/metrics.jsonl": (LINES, ("resume", "report")),
    "run/best/student.json": (JSON, ("evaluate", "embed")),
    "run/best/model.safetensors": (TENSORS, ("evaluate", "embed")),
    "run/best/config.json": (NO_FILE, ("evaluate", "embed")),
    "run/checkpoints/last/state.json": (JSON, ("resume",)),
    "run/checkpoints/last/optimizer.safetensors": (TENSORS, ("resume",)),
    "s.zarr/zarr.json": (JSON, ("inspect", "evaluate a store", "train from", "export", "report a store")),
    "s.zarr/samples/zarr.json": (JSON, ("inspect", "evaluate a store", "train from", "export", "embed into")),
    "s.zarr/targets/teacher/zarr.json": (JSON, ("inspect", "evaluate a store", "train from", "plot a store")),
    "s.zarr/journal/teacher/000000.json": (JSON, ("verify",)),
    "s.zarr/samples/label/c/0": (NO_FILE, ("evaluate a store", "export")),
    "s.zarr/targets/teacher/logits/c/0/0/0": (NO_FILE[:3], ("train from", "export", "verify")),
    "recipe.toml": (NO_FILE, ("run",)),
}


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """What would be read without end fails instead, as it would on a smaller machine."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (24 << 30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_DATA, before)


@pytest.fixture
def given_folder(home: Path) -> Path:
    """With everything in it that any of the calls reads."""
    (home / "recipe.toml").write_text('[data]\ntrain = "digits"\n[[train]]\nstudent = "cnn-2"\n')
    of = {"weights": digest_hex((RUN / "best" / "model.safetensors").read_bytes()), "data": {}}
    (RUN / "evaluation.json").write_text(json.dumps({"of": of, "result": {"top1": 0.5}}))
    return home


TRIES = [
    pytest.param(file, change, call, id=f"{file} {change.__name__} {call}")
    for file, (changes, calls) in FILES.items()
    for number, change in enumerate(changes)
    for call in (calls if change.__name__ in ("pipe", "other", "header") else calls[number % len(calls) :][:1])
]
"""Every change of every file, and some of them by every call that reads the file."""


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("file", "change", "call"), TRIES)
def test_what_is_no_file_or_damaged_is_refused(given_folder: Path, file: str, change: Change, call: str):
    change(given_folder / file)
    with pytest.raises(CorruptError) as caught:
        CALLS[call]()
    assert "\n" not in str(caught.value)
    assert caught.value.mend


def _without_a_weight(best: Path) -> None:
    tensors = safetensors.torch.load_file(best / "model.safetensors")
    del tensors[max(tensors)]
    safetensors.torch.save_file(tensors, best / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.timeout(60)
class TestNetworks:
    """Folders that ask for a network that nobody has the memory for, or whose weights are another's."""

    @pytest.mark.parametrize(
        "asked", [{"num_hidden_layers": 10**9}, {"num_labels": 1 << 40}, {"hidden_size": 1 << 20}, {"patch_size": 1}]
    )
    @pytest.mark.parametrize("call", ["evaluate", "embed"])
    def test_of_transformers(self, given_folder: Path, asked: dict[str, int], call: str):
        edit(RUN / "best" / "config.json", **{"image_size": 1 << 13} if "patch_size" in asked else {}, **asked)
        with pytest.raises(CorruptError):
            CALLS[call]()

    @pytest.mark.parametrize("asked", [{"classes": 1 << 24}, {"spec": "wrn-40-2", "classes": 1 << 20}])
    def test_of_our_own(self, tmp_path: Path, asked: dict[str, Any]):
        save_student(build_student("cnn-2", classes=10), tmp_path)
        edit(tmp_path / "student.json", **asked)
        with pytest.raises(CorruptError):
            load_student(tmp_path)

    @pytest.mark.parametrize("spec", ["vit:layers=1000000000", "transformers:run/best", "resnet-50", "none"])
    def test_of_one_family_in_the_place_of_the_other(self, home: Path, tmp_path: Path, spec: str):
        save_student(build_student("cnn-2", classes=10), tmp_path)
        edit(tmp_path / "student.json", spec=spec)
        with pytest.raises(CorruptError):
            load_student(tmp_path)

    @pytest.mark.parametrize("call", ["evaluate", "embed"])
    def test_without_one_of_its_weights_it_would_be_random(self, given_folder: Path, call: str):
        _without_a_weight(RUN / "best")
        with pytest.raises(ModelError):
            CALLS[call]()


@pytest.mark.parametrize("architectures", [5, [5]])
def test_architectures_are_texts(given_folder: Path, architectures: Any):
    edit(RUN / "best" / "config.json", architectures=architectures)
    with pytest.raises(ModelError):
        load_teacher(str(RUN / "best"))


@pytest.mark.parametrize(
    "options", [{"settings": 5}, {"places": 5}, {"places": [5]}, {"out": [5]}, {"settings": {"a": []}}, 5]
)
def test_a_line_of_a_run_record_with_other_options_is_no_record(home: Path, options: Any):
    line = {"target": "teacher", "seconds": 1.0, "outcome": "sealed", "options": {"teacher": "told-of"}}
    runs_path(STORE).write_text(json.dumps(line) + "\n" + json.dumps({**line, "options": options}) + "\n")
    assert len(run_lines(STORE)) == 1
    text = "told-of"
    report(STORE, out="report.md")
    assert text in Path("report.md").read_text()


@pytest.mark.parametrize("out", ["report.html", "report.md", "picture.svg"])
def test_control_characters_are_in_no_picture_and_no_report(tmp_path: Path, out: str):
    """XML cannot hold them, and matplotlib writes each text as a comment beside its outlines."""
    name = "a\x1b[31mb\ufffe"
    for seed in range(2):
        run = make_run(tmp_path / str(seed), seed=seed, losses=[1.0, 0.5], accuracies=[0.5, 0.6])
        edit(run / "run.json", store={"path": name, "target": name, "teacher": name})
    if out.endswith(".svg"):
        figure = blank(3, 2)
        figure.text(0, 0, name)
        save(figure, tmp_path / out)
        ElementTree.parse(tmp_path / out)
    else:
        report(tmp_path, out=tmp_path / out)
    assert not set("\x1b\ufffe") & set((tmp_path / out).read_text())


class TestStores:
    @pytest.mark.parametrize("rows", [1 << 31, 1 << 39])
    @pytest.mark.parametrize("call", ["evaluate a store", "train from", "export"])
    def test_sizes_are_those_of_the_files(self, home: Path, rows: int, call: str):
        """Documents that agree with one another, and a few chunks on the disk."""
        for path in STORE.rglob("zarr.json"):
            document = json.loads(path.read_text())
            if document.get("shape", [0])[0] == 60:
                document["shape"][0] = rows
            attributes = document["attributes"]
            if attributes.get("rows") == 60:
                attributes["rows"] = rows
            for array in attributes.get("arrays", {}).values():
                array["shape"][0] = rows
            if attributes.get("seal"):
                attributes["seal"] |= {"rows": rows, "blocks": rows // 32}
                attributes["seal"].pop("document", None)  # as earlier versions sealed: nothing proves it wrong
            path.write_text(json.dumps(document))
        with pytest.raises(CorruptError):
            CALLS[call]()

    @pytest.mark.parametrize("names", ["ten", [1, 2], {"a": 1}, [["a"]]])
    def test_class_names_are_texts(self, home: Path, names: Any):
        root = json.loads((STORE / "zarr.json").read_text())
        root["attributes"]["data"]["class_names"] = names
        (STORE / "zarr.json").write_text(json.dumps(root))
        with pytest.raises(CorruptError):
            open_store(STORE)

    @pytest.mark.parametrize("call", ["train from", "embed into"])
    @pytest.mark.parametrize("spec", [{}, {"view": None}, {"augment": None, "seed": 0, "view": {"resize": [0, 8]}}])
    def test_how_views_were_made_is_said(self, home: Path, call: str, spec: Any):
        root = json.loads((STORE / "zarr.json").read_text())
        root["attributes"]["views_spec"] = spec
        (STORE / "zarr.json").write_text(json.dumps(root))
        with pytest.raises(CorruptError):
            CALLS[call]()


FUZZ = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def survives(path: Path, value: Any, data: st.DataObject, call: Callable[[], object]) -> None:
    """One value of a JSON file is another: the call works, or says in one line what is wrong."""
    place = data.draw(st.sampled_from(list(places(value))))
    path.write_text(json.dumps(changed(value, place, data.draw(OTHER))))
    with suppress(TeachonceError):  # whose texts are one line each, by their class
        call()


class TestValues:
    @pytest.mark.parametrize("file", ["run.json", "result.json", "evaluation.json"])
    @FUZZ
    @given(data=st.data())
    def test_a_report_of_a_run(self, tmp_path_factory: pytest.TempPathFactory, file: str, data: st.DataObject):
        run = make_run(tmp_path_factory.mktemp("r") / "run", test_top1=0.5, losses=[1.0], accuracies=[0.5])
        value = json.loads((run / file).read_text())
        survives(run / file, value, data, lambda: build_page([run]))

    @FUZZ
    @given(data=st.data())
    def test_a_report_of_a_benchmark(self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
        path = live_json(tmp_path_factory.mktemp("b") / "b.json", case({"kd": method_result()}))
        survives(path, json.loads(path.read_text()), data, lambda: build_page([path]))

    @FUZZ
    @given(data=st.data())
    def test_the_documents_of_a_store(self, made: Path, data: st.DataObject):
        documents = sorted((made / "s.zarr").rglob("zarr.json"))
        path = data.draw(st.sampled_from(documents))
        before = path.read_bytes()
        try:
            survives(path, json.loads(before), data, lambda: describe(made / "s.zarr"))
        finally:
            path.write_bytes(before)

    @FUZZ
    @given(data=st.data())
    def test_the_student_of_a_run(self, made: Path, data: st.DataObject):
        path = made / "run" / "best" / "student.json"
        before = path.read_bytes()
        try:
            survives(path, json.loads(before), data, lambda: evaluate(run=made / "run", split="test", **HERE))
        finally:
            path.write_bytes(before)


def test_our_own_faults_are_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(material: object) -> None:
        raise TypeError("ours")

    make_run(tmp_path / "run")
    monkeypatch.setattr("teachonce.reports.build.accuracy_section", broken)
    with pytest.raises(TypeError, match="ours"):
        build_page([tmp_path / "run"])


def test_a_document_may_be_so_large_and_no_larger(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_text("1" * 10)
    assert fsio.read_json(path, most=10) == 1111111111
    with pytest.raises(CorruptError):
        fsio.read_json(path, most=9)
    with pytest.raises(FileNotFoundError):
        fsio.read_json(tmp_path / "b.json")

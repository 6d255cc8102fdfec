"""Training costs: real trainings, and what they cost by the formulas of CIFD's appendix D.2."""

import json
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textkit import assert_readable

from teachonce.errors import CorruptError, DataError, InputError, MismatchError, StoreMissingError
from teachonce.models import build_student
from teachonce.models.macs import count_macs
from teachonce.models.rdm import RdmSpec
from teachonce.plots.cost import Costs, training_costs
from teachonce.plots.draw.cost import draw_costs, wrapped
from teachonce.plots.groups import distinct
from teachonce.plots.make import plot_cost
from teachonce.stages.embed import embed
from teachonce.stages.rdm import rdm
from tests.cli.conftest import Call
from tests.engine.enginekit import digits
from tests.reports.reportkit import write_test
from tests.stages.trainkit import STUDENT, Heard, School, quick

TEACHER, ASSISTANT = "vit:patch=4,width=32,layers=1,heads=2", "vit:patch=8,width=32,layers=1,heads=2"
ROWS, VIEWS, BATCH, EPOCHS = 200, 2, 32, 2
RDM_EPOCHS, RDM_ROWS, RDM_BATCH = 3, 192, 50


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> School:
    made = School(tmp_path_factory.mktemp("school"))
    common: dict[str, Any] = {"store": made.store, "epochs": EPOCHS}
    quick(made.runs / "teacher", student=TEACHER, epochs=EPOCHS)
    _embed(made, made.runs / "teacher", "teacher", augment="crop=0.6", views=VIEWS)
    quick(made.runs / "assistant", student=ASSISTANT, method="kd", **common)
    _embed(made, made.runs / "assistant", "assistant-1")
    rdms = {"distortion_weight": (1.0, 10.0), "epochs": RDM_EPOCHS, "hidden": 16, "batch_size": RDM_BATCH}
    assert rdm(store=made.store, device="cpu", **rdms).rows == RDM_ROWS
    quick(made.runs / "ce", **common)
    for seed in (0, 1):
        quick(made.runs / f"kd-{seed}", method="kd", seed=seed, **common)
    quick(made.runs / "takd", method="kd", target="assistant-1", **common)
    quick(made.runs / "dgkd", method="dgkd", assistants=("assistant-1",), **common)
    quick(made.runs / "cifd", method="cifd", rdm=("rdm-10", "rdm-1"), **common)
    quick(made.runs / "live", method="kd", source="live", teacher=str(made.runs / "teacher"), **common)
    return made


def _embed(made: School, run: Path, name: str, **options: Any) -> None:
    options |= {"block_rows": 64, "batch_size": 64, "device": "cpu", "workers": 0}
    embed(teacher=str(run), data=digits(), store=made.store, name=name, **options)


@pytest.fixture(scope="module")
def costs(school: School) -> Costs:
    return training_costs([school.runs], student=STUDENT)


def macs(spec: str) -> int:
    student = build_student(spec, classes=10, image_size=16)
    return count_macs(student, student.input)


def seen(folder: Path) -> int:
    """Samples of all epochs of a training."""
    return EPOCHS * (json.loads((folder / "run.json").read_text())["rows"]["train"] // BATCH * BATCH)


def point(costs: Costs, label: str) -> Any:
    (found,) = (entry for entry in costs.points if entry.label == label)
    return found


def test_labels_and_groups(costs: Costs):
    labels = {entry.label for entry in costs.points}
    assert labels == {"ce", "kd", "kd, live", "kd from assistant-1", "dgkd, 1 assistant", "cifd, 2 RDMs"}
    assert [entry.cached_macs for entry in costs.points] == sorted(entry.cached_macs for entry in costs.points)
    kd = point(costs, "kd")
    assert [Path(run).name for run in kd.runs] == ["kd-0", "kd-1"]
    assert kd.accuracy_mean == pytest.approx(np.mean(kd.accuracies))
    assert kd.accuracy_sd == pytest.approx(np.std(kd.accuracies, ddof=1))
    assert point(costs, "ce").accuracy_sd is None


def test_without_targets_only_the_student_counts(school: School, costs: Costs):
    entry = point(costs, "ce")
    assert entry.cached_macs == entry.live_macs == macs(STUDENT) * seen(school.runs / "ce")
    assert entry.target is None


def test_kd(school: School, costs: Costs):
    entry = point(costs, "kd")
    students = [seen(school.runs / f"kd-{seed}") for seed in (0, 1)]
    assert entry.cached_parts == {
        "teacher": macs(TEACHER) * ROWS * VIEWS,
        "assistants": 0,
        "rdm": 0,
        "student": round(np.mean(students) * macs(STUDENT)),
    }
    assert entry.live_parts == {**entry.cached_parts, "teacher": round(macs(TEACHER) * np.mean(students))}
    live = point(costs, "kd, live")
    assert live.cached_parts["teacher"] == entry.cached_parts["teacher"]
    assert live.source == "live"


def test_an_assistant_is_trained_and_runs_once(school: School, costs: Costs):
    entry, trained = point(costs, "kd from assistant-1"), seen(school.runs / "assistant")
    student = seen(school.runs / "takd")
    both = ROWS * VIEWS
    assert entry.cached_parts["teacher"] == macs(TEACHER) * both
    assert entry.cached_parts["assistants"] == macs(ASSISTANT) * (trained + both)
    assert entry.live_parts["teacher"] == macs(TEACHER) * trained  # it teaches the assistant only
    assert entry.live_parts["assistants"] == macs(ASSISTANT) * (trained + student)


def test_dgkd_has_teacher_and_assistants(school: School, costs: Costs):
    entry, trained, student = point(costs, "dgkd, 1 assistant"), *map(seen, _of(school, "assistant", "dgkd"))
    assert entry.cached_macs == point(costs, "kd from assistant-1").cached_macs
    assert entry.live_parts["teacher"] == macs(TEACHER) * (trained + student)
    assert entry.live_parts["assistants"] == macs(ASSISTANT) * (trained + student)


def _of(school: School, *names: str) -> list[Path]:
    return [school.runs / name for name in names]


def test_cifd_is_counted_as_in_the_paper(school: School, costs: Costs):
    entry, student = point(costs, "cifd, 2 RDMs"), seen(school.runs / "cifd")
    one = RdmSpec(embedding_dim=32, hidden=16, classes=10).macs
    assert one == 32 * 16 + 16 * 16 + 16 * 16 + 16 * 32 + 32 * 10
    trained = RDM_EPOCHS * (RDM_ROWS // RDM_BATCH * RDM_BATCH)
    assert entry.cached_parts["rdm"] == 2 * one * (trained + ROWS * VIEWS)
    assert entry.cached_parts["teacher"] == macs(TEACHER) * ROWS * VIEWS
    assert entry.live_parts["teacher"] == macs(TEACHER) * (student + trained)
    assert entry.live_parts["rdm"] == 2 * one * (trained + student)
    assert entry.rdm == ("rdm-10", "rdm-1")


def test_a_student_of_an_rdm_alone_needs_its_teacher_too(school: School, tmp_path: Path):
    quick(tmp_path / "run", method="kd", store=school.store, target="rdm-10", epochs=EPOCHS)
    (entry,) = training_costs([tmp_path]).points
    student, trained = seen(tmp_path / "run"), RDM_EPOCHS * (RDM_ROWS // RDM_BATCH * RDM_BATCH)
    assert entry.cached_parts["teacher"] == macs(TEACHER) * ROWS * VIEWS
    assert entry.live_parts["teacher"] == macs(TEACHER) * (student + trained)


def test_the_assistants_run_may_be_unknown(school: School):
    heard = Heard()
    (entry,) = training_costs([school.runs / "dgkd"], events=heard).points
    assert heard.warnings == ["the training of assistant-1 is not counted: its run is not among those given"]
    assert entry.cached_parts["assistants"] == macs(ASSISTANT) * ROWS * VIEWS


def test_all_students_are_told_apart(school: School):
    labels = [entry.label for entry in training_costs([school.runs]).points]
    assert f"kd ({ASSISTANT})" in labels
    assert f"kd ({STUDENT})" in labels
    assert len(set(labels)) == len(labels)


def test_equal_labels_get_what_differs():
    settings = [{"lr": lr, "data": {"identities": "0" * 32}, "seed": 3} for lr in (0.1, 0.2)]
    labelled = [("kd", settings[0]), ("kd", settings[1]), ("ce", settings[0])]
    assert distinct(labelled) == ["kd, lr 0.1", "kd, lr 0.2", "ce"]
    grid = [{"lr": lr, "temperature": heat, "rows": 5} for lr in (1, 2, 3) for heat in (4, 8)]
    labels = distinct([("kd", setting | {"same": 0}) for setting in grid])
    assert labels[:2] == ["kd, lr 1, temperature 4", "kd, lr 1, temperature 8"]
    wide = [{key: int(key == other) for key in "abcde"} for other in "abcde"]
    assert distinct([("kd", setting) for setting in wide])[3:] == ["kd, d 1", "kd, e 1"]
    assert distinct([("kd", {"seed": 1}), ("kd", {"seed": 2})]) == ["kd, no. 1", "kd, no. 2"]


def evaluated(school: School, folder: Path, top1: float, *, stale: bool = False) -> Path:
    """A copy of the runs of which the students were evaluated as `teachonce run` does."""
    shutil.copytree(school.runs, folder)
    for run in (path.parent for path in folder.rglob("run.json")):
        write_test(run, top1, rows=30, weights="stale" if stale else None)
    return folder


def test_test_accuracy_where_all_were_evaluated(school: School, costs: Costs, tmp_path: Path):
    assert costs.accuracy == "validation"
    folder = evaluated(school, tmp_path / "runs", 0.25)
    tested = training_costs([folder], student=STUDENT)
    assert tested.accuracy == "test"
    assert {entry.accuracy_mean for entry in tested.points} == {0.25}
    assert training_costs([folder], student=STUDENT, accuracy="validation").accuracy == "validation"
    kept = folder / "ce" / "evaluation.json"
    kept.write_text(kept.read_text().replace('"rows": 30', '"rows": 31'))
    assert training_costs([folder], student=STUDENT).accuracy == "validation"  # of other data they do not compare
    with pytest.raises(DataError, match="different test data"):
        training_costs([folder], student=STUDENT, accuracy="test")
    kept.unlink()
    assert training_costs([folder], student=STUDENT).accuracy == "validation"
    with pytest.raises(DataError, match="ce has no test accuracy"):
        training_costs([folder], student=STUDENT, accuracy="test")


def test_an_evaluation_of_other_weights_does_not_count(school: School, tmp_path: Path):
    folder = evaluated(school, tmp_path / "runs", 0.25, stale=True)
    assert training_costs([folder], student=STUDENT).accuracy == "validation"


def test_runs_without_their_macs_are_counted_anew(school: School, costs: Costs, tmp_path: Path):
    folder = Path(shutil.copytree(school.runs / "kd-0", tmp_path / "kd-0"))
    description = json.loads((folder / "run.json").read_text())
    del description["macs"]
    (folder / "run.json").write_text(json.dumps(description))
    (entry,) = training_costs([folder]).points
    assert entry.cached_parts["student"] == macs(STUDENT) * seen(folder)


def test_what_is_not_finished_is_left_out(school: School, tmp_path: Path):
    for name in ("kd-0", "ce"):
        shutil.copytree(school.runs / name, tmp_path / name)
    (tmp_path / "ce" / "result.json").unlink()
    heard = Heard()
    assert [entry.label for entry in training_costs([tmp_path], events=heard).points] == ["kd"]
    assert len(heard.warnings) == 1
    assert "ce is not finished" in heard.warnings[0]


@pytest.mark.parametrize("name", ["run.json", "result.json"])
def test_a_damaged_run_is_told_with_what_can_be_done_about_it_here(school: School, tmp_path: Path, name: str):
    folder = Path(shutil.copytree(school.runs / "ce", tmp_path / "ce"))
    (folder / name).write_text("{")
    with pytest.raises(CorruptError, match=rf"ce/{name} cannot be read") as caught:
        training_costs([folder])
    assert caught.value.mend == "Restore it from a copy, or leave the run out"


def test_a_live_training_without_a_store_has_no_known_cost(school: School, tmp_path: Path):
    quick(tmp_path / "live", method="kd", source="live", teacher=str(school.runs / "teacher"), epochs=1)
    heard = Heard()
    with pytest.raises(StoreMissingError, match="no finished run"):
        training_costs([tmp_path], events=heard)
    assert ["trained live and without a store" in warning for warning in heard.warnings] == [True]
    assert [entry.label for entry in training_costs([tmp_path, school.runs / "ce"]).points] == ["ce"]


def test_a_store_that_moved(school: School, tmp_path: Path):
    folder = Path(shutil.copytree(school.runs / "kd-0", tmp_path / "kd-0"))
    description = json.loads((folder / "run.json").read_text())
    description["store"]["path"] = str(tmp_path / "gone.zarr")
    (folder / "run.json").write_text(json.dumps(description))
    with pytest.raises(StoreMissingError, match=r"kd-0 is not at .*gone\.zarr") as caught:
        training_costs([folder])
    assert "--store" in caught.value.mend
    assert len(training_costs([folder], store=school.store).points) == 1


def test_another_store_of_that_name(school: School, tmp_path: Path):
    other = School(tmp_path)
    _embed(other, school.runs / "assistant", "teacher")
    for run in ("kd-0", "live"):
        with pytest.raises(MismatchError, match=r"is not the one that .* was trained on"):
            training_costs([school.runs / run], store=other.store)


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"runs": ["nowhere"]}, StoreMissingError, "there is no folder nowhere"),
        ({"runs": []}, InputError, "no folder of runs"),
        ({"student": "cnn-2"}, InputError, "no run of student 'cnn-2', but of vit"),
        ({"out": "a.gif"}, InputError, "suffix"),
    ],
)
def test_bad_input(school: School, tmp_path: Path, options: dict[str, Any], error: type[Exception], told: str):
    with pytest.raises(error, match=told):
        plot_cost(**({"runs": [school.runs], "out": tmp_path / "a.png"} | options))
    assert not list(tmp_path.iterdir())


def test_a_folder_without_runs(tmp_path: Path):
    with pytest.raises(StoreMissingError, match="no finished run"):
        plot_cost(runs=[tmp_path], out=tmp_path / "a.png")


def test_it_is_drawn_as_computed(costs: Costs):
    scatter, bars = draw_costs(costs).axes
    marked = [line for line in scatter.lines if line.get_marker() in tuple("os^Dv")]  # not the ends of error bars
    drawn = {(float(x), float(y)) for line in marked for x, y in zip(*line.get_data(), strict=True)}
    assert drawn == {(e.live_macs if e.source == "live" else e.cached_macs, e.accuracy_mean) for e in costs.points}
    widths = [patch.get_width() for patch in bars.patches]
    assert sum(widths) == sum(
        e.cached_macs + (e.live_macs if e.live_macs != e.cached_macs else 0) for e in costs.points
    )
    assert [tick.get_text() for tick in bars.get_yticklabels()] == [wrapped(e.label) for e in costs.points]
    markers = {line.get_ydata()[0]: (line.get_marker(), line.get_color()) for line in bars.lines}
    for place, entry in enumerate(costs.points):
        full = [line for line in marked if (line.get_marker(), line.get_color()) == markers[place]]
        (shown,) = full
        assert (shown.get_xdata()[0], shown.get_ydata()[0]) == (entry.macs, entry.accuracy_mean)
        assert (shown.get_markerfacecolor() == "white") == entry.is_live


def test_long_names_are_broken_between_words():
    assert wrapped("kd, live") == "kd, live"
    spec = "cifd, 3 RDMs (vit:patch=8,width=16,layers=1,heads=2)"
    assert wrapped(spec) == "cifd, 3 RDMs (vit:patch=8,\nwidth=16,layers=1,heads=2)"
    assert wrapped("clip-teacher-kd", 14) == "clip-teacher-\nkd"


@pytest.mark.parametrize("seed", range(20))
def test_nothing_of_a_name_is_cut(seed: int):
    rng = np.random.default_rng(seed)
    name = "".join(rng.choice(list("abcdefghij-_/=:., "), rng.integers(1, 120)))
    letters = int(rng.integers(3, 30))
    lines = wrapped(name, letters).split("\n")
    assert "".join("".join(lines).split()) == "".join(name.split())
    assert max(map(len, lines)) <= letters


@pytest.mark.parametrize(
    ("low", "high"), [(5.6e9, 20.3e9), (1.2e9, 1.9e9), (365e6, 697e6), (101e6, 990e6), (8e9, 11e9)]
)
def test_numbers_of_the_cost_do_not_overlap(costs: Costs, low: float, high: float):
    points = tuple(replace(costs.points[0], cached_macs=int(x), live_macs=int(high)) for x in (low, high))
    figure = draw_costs(replace(costs, points=points))
    figure.draw_without_rendering()
    axis = figure.axes[0].xaxis
    ticks = [tick for tick in (*axis.get_ticklabels(), *axis.get_ticklabels(minor=True)) if tick.get_text()]
    low, high = figure.axes[0].get_xlim()
    shown = sorted((tick for tick in ticks if low <= tick.get_position()[0] <= high), key=lambda t: t.get_position()[0])
    boxes = [tick.get_window_extent() for tick in shown]
    assert len(boxes) > 1
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes)), [tick.get_text() for tick in shown]


@pytest.mark.parametrize("width", [3.4, 7.5])
@pytest.mark.parametrize("most", [1.9, 9.0, 50.0])
def test_it_is_drawn_for_a_phone_and_for_a_desk(costs: Costs, width: float, most: float):
    names = ["ce", "kd, live", "cifd, 3 RDMs (vit:patch=8,width=16,layers=1,heads=2)"]
    parts = [{"teacher": 0, "assistants": 0, "rdm": 0, "student": int(macs * 1e12)} for macs in (1, most)]
    cached, live = ({"cached_macs": sum(p.values()), "cached_parts": p} for p in parts)
    whole = {"live_macs": live["cached_macs"], "live_parts": parts[1]}
    points = [replace(costs.points[0], label=name, **cached, **whole) for name in names]
    figure = draw_costs(replace(costs, points=(*points, replace(points[0], **live))), width)
    assert_readable(figure, width)
    assert figure.axes[0].get_window_extent().y0 > figure.axes[1].get_window_extent().y1


def test_names_of_many_lines_do_not_overlap(costs: Costs):
    long = "cifd, 3 RDMs, dropout_form exactly-one, dropout_rescale False, embedding_loss smooth-l1, transformers:"
    points = tuple(replace(costs.points[0], label=f"{long}{'/a-folder' * 9} no. {n}") for n in range(12))
    figure = draw_costs(replace(costs, points=points))
    figure.draw_without_rendering()
    boxes = [tick.get_window_extent() for tick in figure.axes[1].get_yticklabels()]
    assert all(above.y0 >= below.y1 for above, below in pairwise(boxes))
    assert min(box.x0 for box in boxes) > figure.axes[0].get_window_extent().x1 > figure.bbox.width / 4


def test_on_the_command_line(school: School, tmp_path: Path, call: Call):
    words = ("plot", "cost", "--runs", school.runs / "kd-0", "--runs", school.runs / "ce", "--out", tmp_path / "a.pdf")
    told = call(*words, "--json").json
    assert {entry["label"] for entry in told["points"]} == {"kd", "ce"}
    assert "forward passes, each once" in told["counting"]
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    shown = call(*words).out
    assert "validation top-1" in shown
    assert call("plot", "cost", "--runs", tmp_path, "--out", tmp_path / "b.png", "--json").error["kind"] == "missing"


def test_a_switch_tells_more_than_a_number():
    tuned = [("cifd", {"lr": lr, "settings": {"ibm": ibm}}) for lr, ibm in ((1e-3, True), (2e-3, False))]
    assert distinct(tuned) == ["cifd, ibm true", "cifd, ibm false"]

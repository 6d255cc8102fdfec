"""Whole reports of real trainings: RDMs, maps with students, costs, and how to make the numbers again."""

import json
import os
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from teachonce.cache.store import open_store
from teachonce.data.open import open_samples
from teachonce.plots.figure import style
from teachonce.plots.runs import read_runs
from teachonce.reports.accuracy import accuracy_section, students
from teachonce.reports.build import build_page
from teachonce.reports.gather import gather
from teachonce.reports.page import Commands, Facts, Figure, Page
from teachonce.reports.students import embedder, store_samples
from teachonce.reports.teachers import references
from teachonce.stages.embed import embed
from teachonce.stages.rdm import rdm
from tests.engine.enginekit import digits
from tests.reports.reportkit import MACHINE, facts, make_run, names, section, tables, texts, write_test
from tests.stages.trainkit import STUDENT, Heard, School, quick

TEACHER = "vit:patch=4,width=32,layers=1,heads=2"


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> School:
    made = School(tmp_path_factory.mktemp("school"))
    common: dict[str, Any] = {"store": made.store}
    quick(made.home / "teacher", student=TEACHER)
    teacher = str(made.home / "teacher")
    embed(teacher=teacher, data=digits(), store=made.store, block_rows=64, batch_size=64, device="cpu", workers=0)
    rdm(store=made.store, device="cpu", distortion_weight=(1.0, 10.0), epochs=2, hidden=16, batch_size=50)
    quick(made.runs / "ce")
    for seed in (0, 1):
        quick(made.runs / f"kd-{seed}", method="kd", seed=seed, **common)
        quick(made.runs / f"live-{seed}", method="kd", seed=seed, source="live", teacher=teacher, **common)
    quick(made.runs / "cifd", method="cifd", rdm=("rdm-1", "rdm-10"), settings={"kl_weight": 0.5}, **common)
    return made


@pytest.fixture(scope="module")
def page(school: School) -> Page:
    return build_page([school.runs], title="A title")


def test_sections_in_the_order_of_a_readers_questions(page: Page):
    expected = "arms break-even curves accuracy store rdm embeddings cost reproduction"
    assert names(page) == expected.split()
    assert page.title == "A title"
    assert page.warnings == ()
    figures = [block for one in page.sections for block in one.blocks if isinstance(block, Figure)]
    assert len({figure.name for figure in figures}) == len(figures)
    with style():
        assert all(figure.draw(3.4).get_figwidth() == pytest.approx(3.4) for figure in figures)


@pytest.mark.parametrize("is_evaluated", [True, False])
def test_a_teacher_is_the_reference_of_its_students_and_none_of_them(
    school: School, tmp_path: Path, is_evaluated: bool
):
    found = [path.parent for path in (*school.runs.rglob("run.json"), school.home / "teacher" / "run.json")]
    places = [Path(shutil.copytree(place, tmp_path / "runs" / place.name)) for place in found]
    for folder in places:
        write_test(folder, 0.75, rows=40 if is_evaluated or folder.name != "teacher" else 41)
    material = gather([tmp_path / "runs"], store=school.store, events=Heard())
    assert [run.folder.name for run in material.teachers] == ["teacher"]
    assert list(students(material)) == [STUDENT]
    accuracy = accuracy_section(material)
    assert accuracy is not None
    (table,) = tables(accuracy.blocks)
    assert STUDENT in table.caption
    first = dict(zip(table.columns, table.rows[0], strict=True))
    assert "teacher" in first["method"]
    assert TEACHER in first["method"]
    assert first["test top-1"] == ("75.00 %" if is_evaluated else "-")
    assert not any(TEACHER in row[0] for row in table.rows[1:])
    alone = accuracy_section(gather([tmp_path / "runs" / "teacher"], store=school.store, events=Heard()))
    assert alone is not None
    (table,) = tables(alone.blocks)
    assert not table.caption.startswith("Student")


def test_stores_of_the_same_rows_are_told_apart_and_a_distilled_teacher_is_a_reference(school: School, tmp_path: Path):
    middle, second, last = (tmp_path / name for name in ("runs/middle", "second.zarr", "runs/last"))
    student = TEACHER.replace("32", "24")
    quick(middle, student=student, method="kd", store=school.store)
    embed(teacher=str(middle), data=digits(), store=second, block_rows=64, batch_size=64, device="cpu", workers=0)
    quick(last, method="kd", store=second)
    for places in ([school.runs / "kd-0", middle, last], [last, middle, school.runs / "kd-0"], [last, school.runs]):
        material = gather(places, store=None, events=Heard())
        stores = {run.folder.name: material.store_of(run) for run in material.runs}
        assert {name: store and store.path.name for name, store in stores.items() if name in ("kd-0", "last")} == {
            "kd-0": "s.zarr",
            "last": "second.zarr",
        }
        (own,) = references([run for run in material.runs if run.folder.name == "last"], material)
        assert (own.name, own.store) == (middle.name, stores["last"])
        assert (own.run is not None) == (middle in places)
    material = gather([middle, last], store=None, events=Heard())
    assert set(students(material)) == {student, STUDENT}  # it is a student as well
    accuracy = accuracy_section(material)
    assert accuracy is not None
    (table,) = (table for table in tables(accuracy.blocks) if STUDENT in table.caption)
    assert table.rows[0][0] == f"teacher ({student})"


def test_teachers_of_one_kind_are_told_apart(school: School, tmp_path: Path):
    for seed in (0, 1):
        quick(tmp_path / f"teacher-{seed}", student=TEACHER, seed=seed, epochs=1)
        quick(tmp_path / f"kd-{seed}", method="kd", source="live", teacher=str(tmp_path / f"teacher-{seed}"), epochs=1)
    accuracy = accuracy_section(gather([tmp_path], store=None, events=Heard()))
    assert accuracy is not None
    (table,) = tables(accuracy.blocks)
    names = [row[0] for row in table.rows[:2]]
    assert all(any(f"teacher-{seed}" in name for name in names) for seed in (0, 1))


def test_the_store_tells_what_it_holds_and_what_it_took(page: Page):
    blocks = section(page, "store").blocks
    assert facts(blocks)["rows"] == "200, of which 0 failed"
    (table,) = tables(blocks)
    assert [row[0] for row in table.rows] == ["teacher", "rdm-1", "rdm-10"]
    assert all(row[6] != "-" for row in table.rows)  # RDMs too are on record
    assert "32 wide" in table.rows[0][2]


def test_rdms_in_order_of_their_weight(page: Page):
    (table,) = tables(section(page, "rdm").blocks)
    assert [row[:2] for row in table.rows] == [("rdm-1", "1"), ("rdm-10", "10")]


def test_students_are_mapped_beside_the_teacher(page: Page):
    (table,) = tables(section(page, "embeddings").blocks)
    assert [row[0] for row in table.rows][:3] == ["teacher", "rdm-1", "rdm-10"]
    shown = [row[0] for row in table.rows[3:]]
    assert len(shown) == 2
    assert shown[1] == "student: ce"  # which named no store, and saw the same data
    assert table.rows[-1][2] == "16"  # the student's width
    assert not texts(section(page, "embeddings").blocks)


def test_embeddings_are_the_students_own(school: School):
    (run,) = read_runs([school.runs / "kd-0"], Heard())
    samples = digits()
    embed_rows = embedder(run, samples)
    some = embed_rows(np.array([3, 70, 199]))
    assert some.shape == (3, 16)
    np.testing.assert_allclose(embed_rows(np.array([70])), some[1:2], atol=1e-5)
    opened = store_samples(open_store(school.store), (run,))
    np.testing.assert_array_equal(opened.decode(70), samples.decode(70))


def test_built_in_data_is_opened_again_from_what_the_store_says(tmp_path: Path):
    samples = open_samples("scenes:size=32,seed=3", split="test", limit=40)
    quick(tmp_path / "teacher", student=TEACHER)
    teacher = str(tmp_path / "teacher")
    embed(teacher=teacher, data=samples, store=tmp_path / "s.zarr", batch_size=40, device="cpu", workers=0)
    opened = store_samples(open_store(tmp_path / "s.zarr"), ())
    assert opened.rows == 40
    np.testing.assert_array_equal(opened.decode(39), samples.decode(39))


def test_students_are_left_out_where_their_data_is_not_at_hand(school: School, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("teachonce.reports.students._places", lambda *_: iter(()))
    blocks = section(build_page([school.runs]), "embeddings").blocks
    assert [row[0] for row in tables(blocks)[0].rows] == ["teacher", "rdm-1", "rdm-10"]
    assert "Students are not shown" in texts(blocks)


def test_costs_count_each_way(page: Page):
    (table,) = tables(section(page, "cost").blocks)
    ratios = {row[0]: float(row[4]) for row in table.rows}
    assert ratios["ce"] == 1.0
    assert ratios["kd"] < 1.0


def test_costs_of_several_stores_are_figures_of_their_own(school: School, tmp_path: Path):
    teacher, second = tmp_path / "teacher", tmp_path / "second.zarr"
    quick(teacher, student=TEACHER.replace("32", "64"))
    embed(teacher=str(teacher), data=digits(), store=second, block_rows=64, batch_size=64, device="cpu", workers=0)
    quick(tmp_path / "runs" / "second", method="kd", store=second)
    page = build_page([school.runs, tmp_path / "runs"])
    figures = [block for block in section(page, "cost").blocks if isinstance(block, Figure)]
    assert len({figure.name for figure in figures}) == len(figures) == 2
    assert all(name in figure.title for name, figure in zip(("s.zarr", "second.zarr"), figures, strict=True))
    first, other = ({row[0]: row for row in table.rows} for table in tables(figures))
    assert {*first} > {*other} == {"ce", "kd"}
    assert first["ce"] == other["ce"]  # of the same data, without a teacher
    assert float(other["kd"][4]) < float(first["kd"][4]) < 1  # a larger teacher costs more live
    assert not any("cost" in text for text in page.warnings)
    (alone,) = (block for block in section(build_page([school.runs]), "cost").blocks if isinstance(block, Figure))
    assert "zarr" not in alone.title


def test_commands_can_be_given_again(school: School, page: Page):
    commands = [block for block in section(page, "reproduction").blocks if isinstance(block, Commands)]
    lines = [line for block in commands for line in block.lines]
    (line,) = (line for line in lines if "--method kd" in line and "--source" not in line)
    told, _, note = line.partition("  # ")
    assert note == "S = 0, 1"
    words = shlex.split(told)
    options = dict(zip(words[2::2], words[3::2], strict=False))
    assert words[:2] == ["teachonce", "train"]
    assert options["--student"] == STUDENT
    assert options["--limit"] == "200"
    assert (options["--epochs"], options["--batch-size"], options["--image-size"]) == ("2", "32", "16")
    assert "--lr" not in options  # the default
    assert "--set" not in options
    (cifd,) = (line for line in lines if "--method cifd" in line)
    assert "--rdm rdm-1,rdm-10" in cifd
    assert "--set cifd.kl_weight=0.5" in cifd
    (live,) = (line for line in lines if "--source live" in line)
    assert f"--teacher {school.home / 'teacher'}" in live


def test_machine_versions_and_seeds(page: Page):
    blocks = section(page, "reproduction").blocks
    assert {"processor", "cores", "torch", "python"} <= facts(blocks).keys()
    (seeds,) = tables(blocks)
    assert ("kd", STUDENT, "0, 1", "kd-0, kd-1") in seeds.rows


def test_commands_stand_in_the_order_of_time(tmp_path: Path):
    for name, time in (("a", 3e9), ("b", 1e9), ("c", 2e9)):
        make_run(tmp_path / name, seed=ord(name), test_top1=0.5, command=["teachonce", "train", name])
        os.utime(tmp_path / name / "run.json", (time, time))
    kept = tmp_path / "b" / "evaluation.json"
    evaluated = {"time": "2100-01", "command": ["teachonce", "run", "r.toml"]}
    kept.write_text(json.dumps(json.loads(kept.read_text()) | evaluated))
    blocks = section(build_page([tmp_path]), "reproduction").blocks
    (recorded,) = (block for block in blocks if isinstance(block, Commands))
    words = ["train b", "train c", "train a", "run r.toml"]
    assert recorded.lines == tuple(f"teachonce {one}" for one in words)


def test_recorded_commands_are_quoted(tmp_path: Path):
    make_run(tmp_path / "a")
    blocks = section(build_page([tmp_path]), "reproduction").blocks
    (recorded,) = (block for block in blocks if isinstance(block, Commands))
    assert recorded.lines == ("teachonce train --data 'a b.parquet'",)


def test_commands_that_were_not_recorded_are_made_from_the_settings(tmp_path: Path):
    make_run(tmp_path / "a")
    make_run(tmp_path / "b", method="ce", command=["pytest", "-q"])
    commands = [b for b in section(build_page([tmp_path]), "reproduction").blocks if isinstance(b, Commands)]
    assert [len(block.lines) for block in commands] == [1, 1]
    assert "--method ce" in commands[1].lines[0]


def test_runs_of_an_older_version_have_no_machine(tmp_path: Path):
    make_run(tmp_path / "a", machine=None, command=None)
    assert facts(section(build_page([tmp_path]), "reproduction").blocks)["processor"] == "not on record"


def test_a_machine_is_told_once_with_the_gpus_that_were_used(tmp_path: Path):
    make_run(tmp_path / "a")
    make_run(tmp_path / "b", seed=1, machine=MACHINE | {"gpus": ["A GPU"]})
    blocks = section(build_page([tmp_path]), "reproduction").blocks
    assert [block.title for block in blocks if isinstance(block, Facts)] == ["Machine", "Versions"]
    assert facts(blocks)["GPU"] == "A GPU"

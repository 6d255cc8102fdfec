"""A recipe is checked whole, before anything is loaded."""

import re
from pathlib import Path

import pytest

from teachonce.errors import InputError
from teachonce.pipeline.expand import student_slug
from teachonce.pipeline.recipe import Recipe, load_recipe

GOOD = """
[data]
train = "digits"
test = "digits"
test_split = "test"
[teacher]
model = "cnn-4"
[store]
path = "digits.zarr"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def names(recipe: Recipe) -> list[str]:
    return [training.name for training in recipe.trainings]


def test_lists_expand_to_a_product_in_the_order_of_the_table(tmp_path: Path):
    train = '[[train]]\nstudent = ["cnn-2", "vit:patch=4,width=32"]\nmethod = ["ce", "kd"]\nseed = [0, 1]\n'
    recipe = load_recipe(write(tmp_path, GOOD + train))
    assert names(recipe) == [
        *("ce-cnn-2-s0", "ce-cnn-2-s1", "kd-cnn-2-s0", "kd-cnn-2-s1"),
        *("ce-vit-p4-w32-s0", "ce-vit-p4-w32-s1", "kd-vit-p4-w32-s0", "kd-vit-p4-w32-s1"),
    ]
    assert recipe.trainings[2].given == {"student": "cnn-2", "method": "kd", "seed": 0}


def test_what_varies_is_in_the_name(tmp_path: Path):
    train = (
        '[[train]]\nstudent = "cnn-2"\nmethod = ["ce", "kd"]\nlr = [0.1, 0.01]\nmilestones = [2, 4]\n'
        'source = ["cached", "live"]\nset = {"kd.temperature" = [1, 4], "kd.kd_weight" = 0.5}\n'
    )
    recipe = load_recipe(write(tmp_path, GOOD + train))
    assert len(recipe.trainings) == 2 * 2 + 2 * 2 * 2
    assert "ce-cnn-2-s0-live-lr=0.01" in names(recipe)
    assert "kd-cnn-2-s0-lr=0.1-temperature=4" in names(recipe)
    assert all(training.options.milestones == (2, 4) for training in recipe.trainings)
    by_method = {t.options.method: t.options.settings for t in recipe.trainings}
    assert by_method == {"ce": {}, "kd": {"kd.temperature": 4, "kd.kd_weight": 0.5}}


def test_settings_can_be_a_table(tmp_path: Path):
    train = '[[train]]\nstudent = "cnn-2"\nmethod = "kd"\n[train.set]\nkd.temperature = 4\n'
    (training,) = load_recipe(write(tmp_path, GOOD + train)).trainings
    assert training.options.settings == {"kd.temperature": 4}


def test_keys_may_have_the_dashes_of_the_command_line(tmp_path: Path):
    (training,) = load_recipe(write(tmp_path, GOOD + '[[train]]\nstudent = "cnn-2"\nbatch-size = 64\n')).trainings
    assert training.options.batch_size == 64


def test_paths_are_relative_to_the_recipe(tmp_path: Path):
    (tmp_path / "train.parquet").write_bytes(b"")
    recipe = load_recipe(write(tmp_path, GOOD + '[[train]]\nstudent = "cnn-2"\n'))
    assert recipe.store_path() == tmp_path / "digits.zarr"
    assert recipe.out == tmp_path / "mine-runs"
    assert recipe.spec("parquet:train.parquet") == f"parquet:{tmp_path / 'train.parquet'}"
    assert recipe.spec("digits") == "digits"
    assert recipe.spec("some/hub-id") == "some/hub-id"
    assert recipe.spec("vit:patch=4") == "vit:patch=4"


def test_out_replaces_the_folder_of_the_runs(tmp_path: Path):
    path = write(tmp_path, GOOD + '[run]\nout = "here"\n[[train]]\nstudent = "cnn-2"\n')
    assert load_recipe(path).out == tmp_path / "here"
    assert load_recipe(path, tmp_path / "there").out == tmp_path / "there"
    assert load_recipe(path, tmp_path / "there").store_path() == tmp_path / "digits.zarr"


def test_an_empty_folder_of_the_runs_is_none(tmp_path: Path):
    train = '[run]\nout = ""\n[[train]]\nstudent = "cnn-2"\n'
    assert load_recipe(write(tmp_path, GOOD + train)).out == tmp_path / "mine-runs"


def test_the_built_in_recipe_lives_where_it_is_called(tmp_path: Path):
    recipe = load_recipe("quickstart", tmp_path / "q")
    assert recipe.store_path().parent == recipe.out.parent == tmp_path / "q"
    assert recipe.report_paths() == [tmp_path / "q" / "report.html"]
    assert {training.options.method for training in recipe.trainings} == {
        *("ce", "kd", "clip-embed-kd", "clip-teacher-kd"),
    }


BAD = """
rows = 3
[report]
out = ["r.html", "r.pdf"]
[stor]
path = "x"
[data]
train = 3
[teacher]
epochs = 3
[teacher.train]
student = "cnn-4"
epoch = 1
[store]
dtpe = "float16"
dtype = "int8"
views = "two"
[[train]]
student = "cnn-2"
epochs = "ten"
lr = [1, -1]
seed = []
set = {"foo.x" = 3}
[[train]]
method = "kd"
"""


def test_all_wrong_keys_are_told_at_once(tmp_path: Path):
    with pytest.raises(InputError) as caught:
        load_recipe(write(tmp_path, BAD))
    problems = [re.sub("expected .*, got", "got", told) for told in caught.value.message.partition(": ")[2].split("; ")]
    assert problems == [
        "[rows] is unknown",
        "[stor] is unknown, did you mean store?",
        "[data] train: got 3",
        "[teacher.train] epoch is unknown, did you mean epochs?",
        "[teacher] epochs is unknown",
        "[store] path is needed",
        "[store] dtype: got 'int8'",
        "[store] views: got 'two'",
        "[store] dtpe is unknown, did you mean dtype?",
        "[report] out: r.pdf: got '.pdf'",
        "[[train]] 1 set foo.x is for foo, expected METHOD.NAME of ['ce']",
        "[[train]] 1 seed is an empty list",
        "[[train]] 1 epochs: got 'ten'",
        "[[train]] 1 lr: got -1",
        "[[train]] 2 student is needed",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[[train]]\nstudent = "cnn-2"\n', "[data] is needed, with train and test"),
        ('[data]\ntrain = "digits"\n', "[[train]] is needed, with a student"),
        ('[data]\ntrain = "digits"\ntest_split = "test"\n', "[data] test_split applies to test, which is missing"),
        ('[data]\ntrain = "digits"\n[train]\nstudent = "cnn-2"\n', "with two brackets"),
        (GOOD + '[teacher.train]\nstudent = "x"\n[[train]]\nstudent = "cnn-2"\n', "one of model and [teacher.train]"),
        (GOOD + '[[train]]\nstudent = "cnn-2"\nlr = 1.0\n[[train]]\nstudent = "cnn-2"\n', "a second run ce-cnn-2-s0"),
        (GOOD + '[[train]]\nstudent = "cnn-2"\nseed = [1, 1]\n', "a second run ce-cnn-2-s1"),
        (
            GOOD.replace("[teacher]", '[teacher]\nrevision = "v2"') + '[[train]]\nstudent = "cnn-2"\nsource = "live"\n',
            "[teacher] revision cannot be used with source",
        ),
        (GOOD + "[report]\nout = 3\n", "[report] out: expected "),
        (GOOD + '[report]\nout = ["a.md", 3]\n', "[report] out: expected "),
        ("data = 3\n", "[data] must be a table, got 3"),
        ("[data\n", "is not a TOML file"),
    ],
)
def test_recipes_that_cannot_be(tmp_path: Path, text: str, problem: str):
    with pytest.raises(InputError) as caught:
        load_recipe(write(tmp_path, text))
    assert problem in caught.value.message


def test_no_such_recipe_names_the_built_in_one(tmp_path: Path):
    with pytest.raises(InputError, match="no recipe") as caught:
        load_recipe(tmp_path / "none.toml")
    assert "quickstart" in caught.value.mend


@pytest.mark.parametrize(
    ("spec", "slug"),
    [
        ("cnn-2", "cnn-2"),
        ("vit:patch=4,width=256,layers=6,heads=8", "vit-p4-w256-l6-h8"),
        ("transformers:models/resnet-18/config.json", "resnet-18"),
        ("transformers:microsoft/resnet-18", "resnet-18"),
        ("my.package:make_student", "make_student"),
    ],
)
def test_student_slug(spec: str, slug: str):
    assert student_slug(spec) == slug


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_recipe_may_have_a_byte_order_mark(tmp_path: Path, encoding: str, ends: str):
    text = (GOOD + '[[train]]\nstudent = "cnn-2"\nmethod = "kd"\nname = "größer"\n').replace("\n", ends)
    path = tmp_path / "mine.toml"
    path.write_bytes((b"\xff\xfe" if encoding == "utf-16-le" else b"") + text.encode(encoding))
    assert load_recipe(path).trainings[0].label == "größer"

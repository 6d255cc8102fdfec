"""A recipe's steps: their order, their options, and the command line each of them is."""

from pathlib import Path

from teachonce.pipeline.recipe import load_recipe
from teachonce.pipeline.steps import Step, make_steps
from tests.pipeline.made import words

RECIPE = """
[data]
train = "parquet:train.parquet"
test = "digits"
test_split = "test"
test_limit = 50
label_column = "fine"
limit = 100
[teacher]
embedding = "cls"
[teacher.train]
student = "cnn-4"
epochs = 2
[store]
path = "s.zarr"
name = "t"
dtype = "float32"
per_class = "all"
[run]
device = "cpu"
threads = 2
[[train]]
student = "cnn-2"
method = ["ce", "kd"]
set = {"kd.temperature" = 4}
milestones = [1, 2]
compile = true
[[train]]
student = "cnn-2"
method = "kd"
source = "live"
"""


def steps_of(folder: Path) -> list[Step]:
    (folder / "train.parquet").touch()
    path = folder / "r.toml"
    path.write_text(RECIPE)
    return make_steps(load_recipe(path))


def test_steps_come_in_the_order_they_need_each_other(tmp_path: Path):
    assert [step.name for step in steps_of(tmp_path)] == [
        "train teacher",
        "evaluate teacher",
        "embed",
        *("train ce-cnn-2-s0", "evaluate ce-cnn-2-s0"),
        *("train kd-cnn-2-s0", "evaluate kd-cnn-2-s0"),
        *("train kd-cnn-2-s0-live", "evaluate kd-cnn-2-s0-live"),
    ]


def test_a_step_is_a_command_line_with_what_the_recipe_gives_and_no_more(tmp_path: Path):
    steps = {step.name: " ".join(words(step)).replace(str(tmp_path), "DIR") for step in steps_of(tmp_path)}
    data = "--data parquet:DIR/train.parquet --label-column fine --limit 100"
    assert (
        steps["train teacher"]
        == f"train --out DIR/r-runs/teacher {data} --device cpu --threads 2 --student cnn-4 --epochs 2"
    )
    assert steps["embed"] == (
        f"embed --teacher DIR/r-runs/teacher --store DIR/s.zarr {data} --device cpu --threads 2"
        " --embedding cls --name t --dtype float32 --per-class all"
    )
    assert steps["train kd-cnn-2-s0"] == (
        f"train --out DIR/r-runs/kd-cnn-2-s0 {data} --device cpu --threads 2 --student cnn-2 --method kd"
        " --milestones 1,2 --compile --set kd.temperature=4 --store DIR/s.zarr --target t"
    )
    assert steps["train kd-cnn-2-s0-live"].endswith("--store DIR/s.zarr --target t --teacher DIR/r-runs/teacher")
    assert steps["evaluate teacher"] == (
        "evaluate --run DIR/r-runs/teacher --data digits --label-column fine --split test --limit 50 --device cpu"
    )

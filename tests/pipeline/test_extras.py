"""RDMs and assistants in a recipe: their tables, their steps, and a run from the teacher to the students."""

from pathlib import Path

import pytest

from teachonce.cache.store import open_store
from teachonce.errors import InputError, MismatchError, StoreMissingError
from teachonce.pipeline.labels import labels
from teachonce.pipeline.recipe import load_recipe
from teachonce.pipeline.run import RunResult
from teachonce.pipeline.steps import Step, make_steps
from tests.pipeline.conftest import Written
from tests.pipeline.made import training, words
from tests.pipeline.trusted import run

HEAD = """
[data]
train = "parquet:train.parquet"
test = "parquet:test.parquet"
[teacher]
model = "tests.cli.made:tiny"
[store]
path = "s.zarr"
dtype = "float32"
block_rows = 64
batch_size = 32
[run]
workers = 0
device = "cpu"
"""
RDM = "[[rdm]]\ndistortion_weight = [10, 1.0]\nepochs = 2\nbatch_size = 32\nval_fraction = 0.2\n"
ASSISTANTS = """
[[assistant]]
name = "assistant-8"
student = "tests.cli.made:tiny"
method = "kd"
set = {"kd.temperature" = 2}
epochs = 1
batch_size = 32
[[assistant]]
name = "assistant-6"
student = "tests.cli.made:tiny"
method = "dgkd"
assistants = "assistant-8"
epochs = 1
batch_size = 32
"""
TRAIN = """
[[train]]
student = "tests.cli.made:tiny"
method = ["kd", "cifd"]
rdm = ["", "rdm-10,rdm-1"]
set = {"cifd.ibm" = false}
epochs = 1
batch_size = 32
[[train]]
name = "takd"
student = "tests.cli.made:tiny"
method = "kd"
target = "assistant-6"
epochs = 1
batch_size = 32
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "r.toml"
    path.write_text(text)
    return path


def steps_of(folder: Path, text: str) -> dict[str, Step]:
    (folder / "train.parquet").touch()
    (folder / "test.parquet").touch()
    return {step.name: step for step in make_steps(load_recipe(write(folder, text)))}


def line(step: Step, folder: Path) -> str:
    return " ".join(words(step)).replace(str(folder), "DIR")


def test_steps_come_in_the_order_of_their_needs(tmp_path: Path):
    steps = steps_of(tmp_path, HEAD + RDM + ASSISTANTS + TRAIN)
    assert list(steps) == [
        *("embed", "rdm 10+1"),
        *("train assistant-8", "evaluate assistant-8", "embed assistant-8"),
        *("train assistant-6", "evaluate assistant-6", "embed assistant-6"),
        *("train kd-tiny-s0", "evaluate kd-tiny-s0"),
        *("train cifd-tiny-s0-rdm=none", "evaluate cifd-tiny-s0-rdm=none"),
        *("train cifd-tiny-s0-rdm=10+1", "evaluate cifd-tiny-s0-rdm=10+1"),
        *("train takd-kd-tiny-s0-target=assistant-6", "evaluate takd-kd-tiny-s0-target=assistant-6"),
    ]
    needs = {name: step.needs for name, step in steps.items()}
    assert needs["rdm 10+1"] == ("embed",)
    assert needs["embed assistant-8"] == ("embed", "train assistant-8")
    assert needs["train assistant-6"] == ("embed", "embed assistant-8")
    assert needs["train kd-tiny-s0"] == ("embed",)
    assert needs["train cifd-tiny-s0-rdm=10+1"] == ("embed", "rdm 10+1")
    assert needs["train takd-kd-tiny-s0-target=assistant-6"] == ("embed", "embed assistant-6")


def test_they_are_command_lines(tmp_path: Path):
    table = 'preset = "cnn"\nmilestones = [3, 4]\nsquared_temperature = false\n'
    steps = steps_of(tmp_path, HEAD + RDM + table + ASSISTANTS + TRAIN)
    assert line(steps["rdm 10+1"], tmp_path) == (
        "rdm --store DIR/s.zarr --target teacher --device cpu --distortion-weight 10.0,1.0 --epochs 2"
        " --batch-size 32 --val-fraction 0.2 --preset cnn --milestones 3,4 --no-squared-temperature"
    )
    data = "--data parquet:DIR/train.parquet --device cpu --workers 0"
    assert line(steps["embed assistant-8"], tmp_path) == (
        f"embed --teacher DIR/r-runs/assistant-8 --store DIR/s.zarr {data} --name assistant-8 --dtype float32"
        " --batch-size 32"
    )
    assert line(steps["train assistant-6"], tmp_path) == (
        f"train --out DIR/r-runs/assistant-6 {data} --student tests.cli.made:tiny --method dgkd"
        " --assistants assistant-8 --epochs 1 --batch-size 32 --store DIR/s.zarr --target teacher"
    )
    assert line(steps["train cifd-tiny-s0-rdm=10+1"], tmp_path) == (
        f"train --out DIR/r-runs/cifd-tiny-s0-rdm=10+1 {data} --student tests.cli.made:tiny --method cifd"
        " --epochs 1 --batch-size 32 --rdm rdm-10,rdm-1 --set cifd.ibm=false --store DIR/s.zarr --target teacher"
    )


def test_an_rdm_of_an_assistant_comes_after_it(tmp_path: Path):
    steps = list(steps_of(tmp_path, HEAD + RDM + 'target = "assistant-8"\n' + ASSISTANTS + TRAIN))
    assert steps.index("rdm 10+1") == steps.index("embed assistant-8") + 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (RDM.replace("1.0", "-1"), "[[rdm]] distortion_weight: "),
        (RDM.replace("[10, 1.0]", "[]"), "distortion_weight: "),
        (RDM.replace("[10, 1.0]", "10"), "distortion_weight: expected a valid list, got 10"),
        (RDM + "epoch = 3\n", "[[rdm]] epoch is unknown, did you mean epochs?"),
        (RDM + RDM, "there would be a second rdm-10"),
        ("[rdm]\nepochs = 3\n", "rdm must be [[rdm]] tables"),
        (ASSISTANTS.replace('"assistant-6"', '"assistant-8"'), "there would be a second assistant-8"),
        (ASSISTANTS.replace('name = "assistant-6"', 'name = "teacher"'), "there would be a second teacher"),
        (ASSISTANTS.replace('name = "assistant-6"\n', ""), "[[assistant]] 2 name is needed"),
        (ASSISTANTS.replace('name = "assistant-6"', 'name = "a/b"'), "[[assistant]] 2 name"),
        (ASSISTANTS + "seed = [0, 1]\n", "[[assistant]] 2 seed: expected a valid integer, got [0, 1]"),
        (ASSISTANTS.replace("kd.temperature", "kdd.temperature"), "[[assistant]] 1 set kdd.temperature is for kdd"),
        ('[[train]]\nstudent = "x"\nmethod = "kd"\nrdm = "rdm-1"\n', "[[train]] 3 rdm is for cifd, expected one of"),
        ('[[train]]\nstudent = "x"\nassistants = "a"\n', "[[train]] 3 assistants is for dgkd, expected one of ['ce']"),
    ],
)
def test_tables_that_cannot_be(tmp_path: Path, text: str, problem: str):
    with pytest.raises(InputError) as caught:
        load_recipe(write(tmp_path, HEAD + TRAIN + text))
    assert problem in caught.value.message


def test_they_need_a_store(tmp_path: Path):
    head = HEAD[: HEAD.index("[store]")]
    with pytest.raises(InputError, match=r"\[store\] is needed"):
        load_recipe(write(tmp_path, head + ASSISTANTS + TRAIN))


def test_assistants_that_need_each_other(tmp_path: Path):
    text = ASSISTANTS.replace('method = "kd"\n', 'method = "kd"\ntarget = "assistant-6"\n', 1)
    with pytest.raises(InputError, match=r"need each other: train assistant-8"):
        steps_of(tmp_path, HEAD + text + TRAIN)


def test_labels_say_what_differs():
    ours, both = {"cifd.ibm": False, "cifd.temperature": 2}, ("rdm-10", "rdm-1")
    trainings = [
        training("kd", student="x", method="kd"),
        training("takd", "takd", student="x", method="kd", target="assistant-4", seed=1),
        training("plain", student="x", method="cifd", rdm=(), settings=ours),
        training("full", student="x", method="cifd", rdm=both, settings={"cifd.ibm": True}, lr=0.1),
        training("one", student="x", method="dgkd", assistants=("assistant-8",), lr=0.2),
        training("dgkd", student="x", method="dgkd", assistants=("assistant-8", "dgkd-6"), lr=0.2),
    ]
    assert labels(trainings) == {
        "kd": "kd",
        "takd": "takd: kd, target=assistant-4",
        "plain": "cifd, 0 rdm, lr=0.001, ibm=false, temperature=2",
        "full": "cifd, 2 rdm (10+1), lr=0.1, ibm=true, temperature=default",
        "one": "dgkd, 1 assistant (8)",
        "dgkd": "dgkd, 2 assistants (8+dgkd-6)",
    }


@pytest.mark.timeout(30)
def test_labels_of_many_trainings_take_no_minute():
    found = labels(
        [training(str(seed), student="x", method="kd", seed=seed, lr=1.0 + seed % 2) for seed in range(3000)]
    )
    assert set(found.values()) == {"kd, lr=1.0", "kd, lr=2.0"}


@pytest.fixture
def recipe(written: Written) -> Path:
    """A recipe whose steps run in this process."""
    return written(HEAD + RDM + ASSISTANTS + TRAIN)


def actions(result: RunResult) -> dict[str, str]:
    return {step.name: step.action for step in result.steps}


def test_a_run_makes_them_trains_from_them_and_reuses_them(recipe: Path):
    done = run(recipe)
    assert set(actions(done).values()) == {"run"}
    store = open_store(recipe.parent / "s.zarr")
    assert set(store.verify()) == {"teacher", "rdm-10", "rdm-1", "assistant-8", "assistant-6"}
    assert [row["name"] for row in done.comparison][:3] == ["assistant-8", "assistant-6", "kd-tiny-s0"]
    again = run(recipe)
    assert set(actions(again).values()) == {"reuse"}
    assert [row["top1"] for row in again.comparison] == [row["top1"] for row in done.comparison]

    recipe.write_text(recipe.read_text().replace("[10, 1.0]\nepochs = 2", "[10, 1.0]\nepochs = 3"))
    with pytest.raises(MismatchError, match=r"rdm 10\+1: .*epochs: expected 2, got 3"):
        run(recipe)
    recipe.write_text(recipe.read_text().replace("[10, 1.0]\nepochs = 3", "[10, 1.0, 4]\nepochs = 2"))
    planned = {step.name: step for step in run(recipe, dry_run=True).steps}
    assert planned["rdm 10+1+4"].action == "run"
    assert planned["rdm 10+1+4"].reason == "the store has no target rdm-4"
    assert planned["train cifd-tiny-s0-rdm=10+1"].reason == "after rdm 10+1+4"


def test_a_target_that_nothing_makes_is_told_before_anything_runs(recipe: Path):
    text = recipe.read_text().replace('"rdm-10,rdm-1"', '"rdm-7"').replace('target = "assistant-6"', 'target = "x"')
    recipe.write_text(text)
    with pytest.raises(StoreMissingError) as caught:
        run(recipe, dry_run=True)
    assert caught.value.message == (
        "no target 'rdm-7' for train cifd-tiny-s0-rdm=7; no target 'x' for train takd-kd-tiny-s0-target=x"
    )
    assert not (recipe.parent / "s.zarr").exists()

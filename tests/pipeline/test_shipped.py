"""The recipes that come with the package: all that can be checked without their data."""

from dataclasses import replace
from pathlib import Path

import pytest

from teachonce.models.rdm import RdmSpec
from teachonce.models.students import build_student
from teachonce.pipeline.plan import check_settings, check_targets
from teachonce.pipeline.recipe import Recipe, load_recipe
from teachonce.pipeline.steps import make_steps, makers

FOLDER = Path(__file__).parents[2] / "recipes"
RECIPES = sorted(path.name for path in FOLDER.glob("*.toml"))
CNN = ("cifd-cnn.toml", "cifd-cifar10.toml")


def load(name: str) -> Recipe:
    return load_recipe(FOLDER / name)


@pytest.mark.parametrize("name", [*RECIPES, "quickstart"])
def test_settings_can_be_used_and_targets_are_made(name: str):
    recipe = load_recipe(name if name == "quickstart" else FOLDER / name)
    steps = make_steps(recipe)
    check_settings(steps)
    check_targets(steps, makers(recipe, steps))
    assert len({step.name for step in steps}) == len(steps)


@pytest.mark.parametrize("name", [name for name in RECIPES if name.startswith("cifd")])
def test_networks_exist(name: str):
    recipe = load(name)
    trainings = [*recipe.assistants, *recipe.trainings]
    if recipe.teacher is not None and recipe.teacher.train is not None:
        trainings.append(recipe.teacher.train)
    for student in {training.options.student for training in trainings}:
        build_student(student, classes=10)
    for rdm in (table.options for table in recipe.rdms):
        RdmSpec(preset=rdm.preset, embedding_dim=512, classes=10, hidden=rdm.hidden, activation=rdm.activation)


@pytest.mark.parametrize("name", CNN)
def test_table_1_has_every_method_with_three_seeds(name: str):
    trainings = load(name).trainings
    runs = [training.options for training in trainings]
    cifd = {(len(run.rdm), run.settings.get("cifd.ibm", True)) for run in runs if run.method == "cifd"}
    wanted = {(count, ibm) for count in (0, 1, 3, 5) for ibm in (True, False)}
    assert wanted - {(0, False)} <= cifd <= wanted  # without both it is kd by another name
    others = {(t.options.method, t.target, t.options.assistants) for t in trainings if t.options.method != "cifd"}
    assert others == {
        ("ce", None, ()),
        ("kd", None, ()),
        ("kd", "assistant-4", ()),
        ("dgkd", None, ("assistant-8", "dgkd-6", "dgkd-4")),
    }
    assert len(runs) == 3 * (len(cifd) + len(others))
    assert len({(run.student, run.epochs, run.lr, run.weight_decay, run.batch_size) for run in runs}) == 1


@pytest.mark.parametrize("name", CNN)
def test_rdms_of_table_1_have_the_layers_and_the_range_of_the_paper(name: str):
    (rdm,) = (table.options for table in load(name).rdms)
    assert rdm.preset == "cnn"
    assert all(1 <= weight <= 100 for weight in rdm.distortion_weight)


@pytest.mark.parametrize("name", ["cifd-cifar.toml", "cifd-cifar-resnet.toml"])
def test_table_2_has_the_numbers_of_the_paper(name: str):
    recipe = load(name)
    (rdm,) = (table.options for table in recipe.rdms)
    assert (rdm.distortion_weight, rdm.epochs) == ((1, 0.8, 0.6), 30)
    run = next(training.options for training in recipe.trainings if training.options.method == "cifd")
    assert (run.epochs, run.optimizer, run.lr, run.milestones, run.gamma) == (240, "sgd", 0.05, (150, 160, 180), 0.1)
    assert run.rdm == ("rdm-1", "rdm-0.8", "rdm-0.6")
    assert run.settings == {
        "cifd.temperature": 2,
        "cifd.ce_weight": 1,
        "cifd.kl_weight": 1,
        "cifd.rdm_weight": 1,
        "cifd.embedding_weight": 100,
        "cifd.embedding_loss": "mse",
        "cifd.rate_weight": 0.005,
        "cifd.kd_dropout": 0.25,
    }


def test_table_3_has_the_numbers_of_the_paper():
    recipe = load("cifd-imagenet.toml")
    (rdm,) = (table.options for table in recipe.rdms)
    assert (rdm.distortion_weight, rdm.epochs, rdm.preset, rdm.distortion, rdm.val_fraction) == (
        *((1e4, 5e3, 1e3), 30, "r34", "smooth-l1", 0.05),
    )
    assert rdm.select == "top1"
    run = next(training.options for training in recipe.trainings if training.options.method == "cifd")
    assert (run.epochs, run.optimizer, run.lr, run.batch_size, run.weight_decay) == (88, "sgd", 2.0, 1024, 5e-5)
    assert run.rdm == ("rdm-10000", "rdm-5000", "rdm-1000")
    assert (run.settings["cifd.embedding_weight"], run.settings["cifd.embedding_loss"]) == (100, "smooth-l1")
    assert (run.settings["cifd.temperature"], run.settings["cifd.rate_weight"], run.settings["cifd.kd_dropout"]) == (
        2,
        0.001,
        0.25,
    )


CLIP = ("clip-embed-kd.toml", "clip-embed-kd-imagenet.toml", "clip-embed-kd-vanilla.toml")


@pytest.mark.parametrize("name", CLIP)
def test_clip_embed_kd_has_the_numbers_of_the_paper_and_its_code(name: str):
    recipe = load(name)
    runs = [training.options for training in recipe.trainings]
    assert {(run.batch_size, run.epochs, run.lr, run.weight_decay) for run in runs} == {(64, 200, 1e-4, 0.1)}
    students = {(run.student, run.image_size) for run in runs}
    built = [build_student(student, classes=100, image_size=size) for student, size in students]
    assert sorted(student.embedding_dim for student in built) == [256, 384]
    assert recipe.store.options.per_class == 100
    if name == "clip-embed-kd-vanilla.toml":
        settings = {(run.method, run.settings.get("vanilla-kd.double_softmax")) for run in runs}
        assert settings == {("kd", None), ("vanilla-kd", False), ("vanilla-kd", True)}
        assert recipe.teacher.train.options.init is not None
    else:
        assert {run.method for run in runs} == {"ce", "clip-embed-kd", "clip-teacher-kd"}
        assert recipe.teacher.model.endswith("-in21k")


def test_four_teachers_of_clip_embed_kd_go_into_one_store():
    passes = []
    for name in ("l32", "l16", "b32", "b16"):
        size = {"l": "large", "b": "base"}[name[0]]
        model = f"google/vit-{size}-patch{name[1:]}-224-in21k"
        overrides = (f"teacher.model={model}", f"store.name={name}")
        steps = make_steps(load_recipe(FOLDER / CLIP[0], FOLDER / name, overrides=overrides))
        (embed,) = (step for step in steps if step.verb == "embed")
        passes.append((embed.options["store"], embed.options["name"], embed.options["teacher"]))
        readers = [step for step in steps if step.verb == "train" and step.options["method"] != "ce"]
        assert {step.options["target"] for step in readers} == {name}
    assert len({store for store, _, _ in passes}) == 1
    assert len(set(passes)) == 4


def test_the_small_clip_embed_kd_changes_one_thing_at_a_time():
    runs = load("clip-embed-kd-cifar10.toml").trainings
    base = next(run.options for run in runs if run.label == "base")
    seen: dict[str, list[object]] = {}
    for label, options in ((str(run.label), run.options) for run in runs if run.label != "base"):
        same = replace(options, seed=base.seed, settings=base.settings)
        changed = {key for key, value in vars(same).items() if value != vars(base)[key]}
        axis = label.partition("-")[0]
        allowed = {"methods": {"method"}, "init": {"init", "method"}, "patch": {"student", "method"}}.get(axis, set())
        assert changed <= allowed
        seen.setdefault(axis, []).append(tuple(options.settings.values()))
        if axis == "alpha":
            assert sum(options.settings.values()) == pytest.approx(1)
    assert {run.options.seed for run in runs} == {0, 1, 2}
    assert set(seen["rows"]) == {(5,), (10,), (50,), ("all",)}
    assert {pair[0] for pair in seen["alpha"]} == {0.1, 0.3, 0.7, 0.9}
    assert set(seen["direction"]) == {("student-to-teacher",), ("none",)}
    assert set(seen) == {"methods", "rows", "alpha", "direction", "scale", "init", "patch"}

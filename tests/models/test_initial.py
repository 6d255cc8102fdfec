"""Initial weights from another network: what is taken, what stays random, and what is refused."""

import json
from pathlib import Path

import pytest
import safetensors.torch
import tiny_models as tiny
import torch
from torch import Tensor

from teachonce.errors import CorruptError, ModelError
from teachonce.models import Student, build_student, save_student
from teachonce.models.initial import initial_digest, initialise

VIT = "vit:patch=8,width=16,layers=2,heads=2"
SPECS = ["cnn-2", "wrn-40-1", VIT, "transformers", "student_factories:own"]


@pytest.fixture
def transformers(tmp_path: Path) -> Path:
    tiny.config("vit").save_pretrained(tmp_path / "config")
    return tmp_path / "config"


def build(spec: str, config: Path, classes: int, seed: int) -> Student:
    spec = f"transformers:{config}" if spec == "transformers" else spec
    return build_student(spec, classes=classes, image_size=32, seed=seed)


def run_of(student: Student, folder: Path) -> Path:
    """As a training leaves it."""
    save_student(student, folder / "best")
    (folder / "run.json").write_text("{}")
    return folder


def state(student: Student) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in student.state_dict().items()}


def differing(one: dict[str, Tensor], other: dict[str, Tensor]) -> set[str]:
    return {name for name in one if not torch.equal(one[name], other[name])}


@pytest.mark.parametrize("spec", SPECS)
def test_a_run_gives_all_its_weights(spec: str, transformers: Path, tmp_path: Path):
    source = build(spec, transformers, 5, seed=1)
    student = build(spec, transformers, 5, seed=2)
    assert differing(state(student), state(source))
    initial = initialise(student, str(run_of(source, tmp_path / "run")))
    assert differing(state(student), state(source)) == set()
    assert initial.head
    assert initial.unused == ()


@pytest.mark.parametrize("spec", SPECS)
def test_a_head_of_other_classes_stays_random(spec: str, transformers: Path, tmp_path: Path):
    source, student = build(spec, transformers, 7, seed=1), build(spec, transformers, 5, seed=2)
    before = state(student)
    initial = initialise(student, str(run_of(source, tmp_path / "run")))
    after, theirs = state(student), state(source)
    head = {name for name in after if after[name].shape != theirs[name].shape}
    assert head == {name for name in after if "classifier" in name}
    assert all(torch.equal(after[name], before[name]) for name in head)
    assert all(torch.equal(after[name], theirs[name]) for name in after if name not in head)
    assert not initial.head
    assert "head is random" in initial.text()


@pytest.mark.parametrize(
    ("spec", "other"),
    [("cnn-2", "cnn-4"), ("cnn-4", "cnn-2"), (VIT, VIT.replace("16", "32")), (VIT, "cnn-2"), ("cnn-2", VIT)],
)
def test_another_network_is_refused_by_its_first_tensor(spec: str, other: str, tmp_path: Path):
    student = build_student(spec, classes=5)
    before = state(student)
    source = run_of(build_student(other, classes=5), tmp_path / "run")
    with pytest.raises(ModelError) as caught:
        initialise(student, str(source))
    assert str(source) in caught.value.message
    assert differing(state(student), before) == set()


def test_the_first_tensor_and_both_shapes_are_told(tmp_path: Path):
    source = run_of(build_student(VIT.replace("patch=8", "patch=16"), classes=5), tmp_path / "run")
    with pytest.raises(ModelError, match=r"position_embeddings.*\(1, 17, 16\), got \(1, 5, 16\)"):
        initialise(build_student(VIT, classes=5), str(source))


def test_a_transformers_folder_without_a_head(tmp_path: Path):
    """As a ViT that was trained on in21k: no classifier, and a pooler that no classifier has."""
    folder = tiny.encoder(tmp_path / "encoder", "vit")
    student = build_student(f"transformers:{folder}", classes=5)
    before = state(student)
    initial = initialise(student, str(folder))
    theirs = safetensors.torch.load_file(folder / "model.safetensors")
    taken = state(student)
    assert torch.equal(taken["network.vit.embeddings.cls_token"], theirs["embeddings.cls_token"])
    changed = differing(taken, before)
    assert not any("classifier" in name for name in changed)
    assert {name for name in taken if taken[name].std() > 0} - changed <= {"classifier.weight"}
    assert not initial.head
    assert any("pooler" in name for name in initial.unused)


def test_a_fine_tuned_transformers_folder(tmp_path: Path):
    folder = tiny.classifier(tmp_path / "classifier", "vit")
    student = build_student(f"transformers:{folder}", classes=3)
    assert initialise(student, str(folder)).head
    theirs = safetensors.torch.load_file(folder / "model.safetensors")
    assert torch.equal(student.classifier.weight, theirs["classifier.weight"])


def test_a_model_of_transformers_is_not_for_other_students(tmp_path: Path):
    with pytest.raises(ModelError, match="student is not"):
        initialise(build_student("cnn-2", classes=3), str(tiny.classifier(tmp_path / "c", "vit")))


def test_nothing_is_drawn_from_the_global_generator(tmp_path: Path):
    folder = tiny.encoder(tmp_path / "encoder", "vit")
    student = build_student(f"transformers:{folder}", classes=5)
    before = torch.random.get_rng_state()
    initialise(student, str(folder))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("source", ["nowhere/at/all", "no-folder"])
def test_no_source(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("no-folder").mkdir()
    for ask in (initial_digest, lambda source: initialise(build_student("cnn-2", classes=3), source)):
        with pytest.raises(ModelError):
            ask(source)


def test_a_run_before_its_first_epoch(tmp_path: Path):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ModelError, match="holds no student"):
        initial_digest(str(tmp_path))


@pytest.mark.parametrize("kind", ["own", "transformers"])
def test_damaged_files_are_refused(kind: str, tmp_path: Path):
    if kind == "own":
        folder = run_of(build_student("cnn-2", classes=3), tmp_path / "run")
        weights, student = folder / "best" / "model.safetensors", build_student("cnn-2", classes=3)
    else:
        folder = tiny.classifier(tmp_path / "c", "vit")
        weights, student = folder / "model.safetensors", build_student(f"transformers:{folder}", classes=3)
    weights.write_bytes(weights.read_bytes()[:-100])
    for ask in (initial_digest, lambda source: initialise(student, source)):
        with pytest.raises(CorruptError):
            ask(str(folder))


def test_pickled_weights_and_code_are_not_opened(tmp_path: Path):
    folder = tiny.classifier(tmp_path / "c", "vit")
    student = build_student(f"transformers:{folder}", classes=3)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="pickle"):
        initialise(student, str(folder))
    (folder / "pytorch_model.bin").rename(folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "attn_implementation": "someone/kernel"}))
    with pytest.raises(ModelError, match="kernel"):
        initialise(student, str(folder))


def test_the_digest_is_of_the_weights_alone(tmp_path: Path):
    one, same, other = (build_student("cnn-2", classes=3, seed=seed) for seed in (1, 1, 2))
    digests = [initial_digest(str(run_of(s, tmp_path / str(n)))) for n, s in enumerate((one, same, other))]
    assert digests[0] == digests[1] != digests[2]


def test_a_checkpoint_in_parts(tmp_path: Path):
    whole, parts = tiny.classifier(tmp_path / "c", "vit"), tmp_path / "parts"
    student = build_student(f"transformers:{whole}", classes=3)
    with student.whole() as network:
        network.save_pretrained(parts, max_shard_size="4KB")
    assert not (parts / "model.safetensors").exists()
    other = build_student(f"transformers:{whole}", classes=3, seed=5)
    assert initialise(other, str(parts)).head
    assert differing(state(other), state(student)) == set()
    (tmp_path / "single").mkdir()
    with student.whole() as network:
        network.save_pretrained(tmp_path / "single")
    assert initial_digest(str(parts)) == initial_digest(str(tmp_path / "single"))


def test_a_copy_of_the_hub_is_read_without_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    cached = tmp_path / "models--owner--tiny"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("0" * 40)
    folder = tiny.classifier(cached / "snapshots" / ("0" * 40), "vit")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    student = build_student(f"transformers:{folder}", classes=3)
    assert initialise(student, "owner/tiny").source == "owner/tiny"
    assert initial_digest("owner/tiny") == initial_digest(str(folder))

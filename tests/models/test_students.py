"""Students by spec: what they are, that the seed alone decides their weights, and that they survive the disk."""

import json
from pathlib import Path

import pytest
import tiny_models as tiny
import torch

from teachonce.errors import CorruptError, ModelError
from teachonce.models import Student, build_student, load_student, load_teacher, save_student
from teachonce.models.students import student_digest
from teachonce.models.trust import is_factory
from teachonce.types import EvalView, InputSpec
from tests.alike import assert_alike, differ, settled

SMALL_VIT = "vit:patch=8,width=16,layers=2,heads=2"


@pytest.fixture
def config_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    tiny.config("resnet").save_pretrained(folder)
    return folder


@pytest.fixture
def specs(config_folder: Path) -> dict[str, str]:
    return {
        "vit": SMALL_VIT,
        "cnn": "cnn-2",
        "wrn": "wrn-40-1",
        "resnet8x4": "resnet8x4",
        "resnet-18": "resnet-18",
        "mobilenet-v1": "mobilenet-v1",
        "transformers": f"transformers:{config_folder}",
        "factory": "student_factories:own",
    }


def many() -> torch.Tensor:
    """Enough random pixels for the statistics of a batch norm."""
    return torch.randn(16, 3, 32, 32, generator=torch.Generator().manual_seed(0))


KINDS = ["vit", "cnn", "wrn", "resnet8x4", "resnet-18", "mobilenet-v1", "transformers", "factory"]


@pytest.mark.parametrize("kind", KINDS)
class TestEveryStudent:
    def build(self, spec: str, seed: int = 0) -> Student:
        student = build_student(spec, classes=5, image_size=32, seed=seed)
        return settled(student, many())

    def test_shapes(self, kind: str, specs: dict[str, str]):
        student = self.build(specs[kind])
        embedding, logits = student(tiny.pixels())
        assert embedding.shape == (3, student.embedding_dim)
        assert logits.shape == (3, 5) == (3, student.classes)
        assert_alike(student.embed(tiny.pixels()), embedding)
        assert_alike(student.head(embedding), logits)
        assert (student.input.height, student.input.width) == (32, 32)
        assert {p.dtype for p in student.parameters()} == {torch.float32}

    def test_the_seed_alone_decides(self, kind: str, specs: dict[str, str]):
        torch.manual_seed(1)
        before = torch.random.get_rng_state()
        first = self.build(specs[kind], seed=3)
        assert torch.equal(before, torch.random.get_rng_state())
        torch.manual_seed(2)
        second, other = self.build(specs[kind], seed=3), self.build(specs[kind], seed=4)
        pairs = zip(first.state_dict().items(), second.state_dict().items(), strict=True)
        assert all(name == again and torch.allclose(a, b, rtol=1e-4) for (name, a), (again, b) in pairs)
        assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
        assert_alike(second(tiny.pixels())[1], first(tiny.pixels())[1])
        assert differ(first(tiny.pixels())[1], other(tiny.pixels())[1])

    def test_saved_and_loaded(self, kind: str, specs: dict[str, str], tmp_path: Path):
        student = self.build(specs[kind])
        before = student(tiny.pixels())
        save_student(student, tmp_path / "saved", class_names=tuple("abcde"))
        kept = {name: value.clone() for name, value in student.state_dict().items()}
        loaded = load_student(tmp_path / "saved", student=student.spec)
        assert (loaded.spec, loaded.classes, loaded.input) == (student.spec, student.classes, student.input)
        for state in (student.state_dict(), loaded.state_dict()):  # saving changed nothing, and loading gives it all
            assert state.keys() == kept.keys()
            assert all(torch.equal(value, kept[name]) for name, value in state.items())
        for got, expected in zip(loaded(tiny.pixels()), before, strict=True):
            assert_alike(got, expected)
        assert not loaded.training

    def test_every_parameter_gets_a_gradient(self, kind: str, specs: dict[str, str]):
        student = self.build(specs[kind]).train()
        student(tiny.pixels())[1].square().sum().backward()
        assert [name for name, p in student.named_parameters() if p.grad is None] == []


class TestVit:
    def test_the_default_is_the_student_of_the_paper(self):
        student = build_student("vit", classes=100)
        config = student.network.config
        assert (config.patch_size, config.hidden_size, config.num_hidden_layers) == (4, 256, 6)
        assert (config.num_attention_heads, config.intermediate_size, config.image_size) == (8, 1024, 32)
        assert student.input == InputSpec(height=32, width=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))

    def test_the_embedding_is_the_class_token_after_the_last_norm(self):
        student = build_student(SMALL_VIT, classes=3).eval()
        hidden = student.network.vit(tiny.pixels()).last_hidden_state
        embedding = student.embed(tiny.pixels())
        assert torch.allclose(embedding, hidden[:, 0])
        norm = student.network.vit.layernorm
        assert torch.allclose(norm(embedding).shape and embedding.mean(1), torch.zeros(3), atol=1e-5)
        assert norm.weight.eq(1).all()

    def test_dropout_options(self):
        student = build_student("vit:width=16,layers=1,heads=2,dropout=0.2,attention_dropout=0.1", classes=3)
        config = student.network.config
        assert (config.hidden_dropout_prob, config.attention_probs_dropout_prob) == (0.2, 0.1)

    def test_attention_is_computed_as_asked_and_alike(self):
        fused, plain = (build_student(f"{SMALL_VIT},attention={name}", classes=3) for name in ("sdpa", "eager"))
        assert plain.network.config._attn_implementation == "eager"
        assert torch.allclose(fused(tiny.pixels())[1], plain(tiny.pixels())[1], atol=1e-5)

    def test_image_size(self):
        student = build_student(SMALL_VIT, classes=3, image_size=64)
        assert student(tiny.pixels(size=64))[1].shape == (3, 3)

    def test_image_size_in_the_spec(self):
        spec = f"{SMALL_VIT},size=64"
        assert build_student(spec, classes=3).input.height == build_student(spec, classes=3, image_size=64).input.height
        assert load_teacher(spec, classes=3).info.input.width == 64
        with pytest.raises(ModelError, match="size=64, got image size 32"):
            build_student(spec, classes=3, image_size=32)

    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            ("vit:pach=4", "vit has no option 'pach'. Did you mean patch?"),
            ("vit:patch=four", "patch must be of type int, got 'four'"),
            ("vit:patch=5", "32 px is not a multiple of patch=5"),
            ("vit:width=10,heads=3", "width is not a multiple of heads=3"),
            ("vit:layers=0", "expected layers from 1 to 1024, got 0"),
            ("vit:layers=100000000", "expected layers from 1 to 1024"),
            ("vit:width=100000000", "expected width from 1 to 16384"),
            ("vit:size=100000000", "expected an image size of 1 to 16384 px"),
            ("vit:dropout=1", r"a dropout must be in \[0, 1\)"),
            ("vit:size=-8", "expected an image size of 1 to 16384 px, got -8"),
            ("vit:attention=flash", "attention must be sdpa or eager, got 'flash'"),
        ],
    )
    def test_wrong_options(self, spec: str, message: str):
        with pytest.raises(ModelError, match=message):
            build_student(spec, classes=3)


class TestTransformers:
    @pytest.mark.parametrize("family", ["resnet", "vit", "convnext", "mobilenet", "swin", "dinov2", "deit"])
    def test_families(self, family: str, tmp_path: Path):
        tiny.config(family).save_pretrained(tmp_path)
        student = build_student(f"transformers:{tmp_path}", classes=4, image_size=32)
        settled(student, many())
        embedding, logits = student(tiny.pixels())
        assert embedding.ndim == 2
        with student.whole() as network:
            assert torch.allclose(network(tiny.pixels()).logits, logits, atol=1e-5)
        assert_alike(student(tiny.pixels())[1], logits)

    def test_a_config_file_will_do(self, config_folder: Path):
        student = build_student(f"transformers:{config_folder / 'config.json'}", classes=4, image_size=32)
        assert student(tiny.pixels())[1].shape == (3, 4)

    def test_the_size_comes_from_the_config(self, tmp_path: Path):
        tiny.config("vit").save_pretrained(tmp_path)
        assert build_student(f"transformers:{tmp_path}", classes=4).input.height == 32

    @pytest.mark.parametrize("spec", [SMALL_VIT, "transformers"])
    def test_a_saved_one_opens_in_transformers(self, spec: str, config_folder: Path, tmp_path: Path):
        from transformers import AutoModelForImageClassification

        spec = f"transformers:{config_folder}" if spec == "transformers" else spec
        student = build_student(spec, classes=2, image_size=32).eval()
        view = EvalView(resize=(32, 32))
        save_student(student, tmp_path / "saved", class_names=("cat", "dog"), view=view)
        network = AutoModelForImageClassification.from_pretrained(tmp_path / "saved")
        assert torch.allclose(network(tiny.pixels()).logits, student(tiny.pixels())[1], atol=1e-6)
        assert network.config.id2label == {0: "cat", 1: "dog"}
        teacher = load_teacher(str(tmp_path / "saved"))
        assert (teacher.info.input, teacher.info.view) == (student.input, view)
        assert teacher.info.class_names == ("cat", "dog")

    def test_no_processor_is_written_for_a_view_that_it_could_not_give(self, tmp_path: Path):
        student = build_student(SMALL_VIT, classes=2)
        save_student(student, tmp_path, view=EvalView(resize=36, crop=(32, 32)))
        assert not (tmp_path / "preprocessor_config.json").exists()

    def test_the_same_student_gives_the_same_bytes(self, tmp_path: Path):
        for name in ("one", "two"):
            save_student(build_student(SMALL_VIT, classes=2), tmp_path / name)
        files = sorted(path.name for path in (tmp_path / "one").iterdir())
        assert files == ["config.json", "model.safetensors", "student.json"]
        for name in files:
            assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()

    def test_a_missing_config_file(self):
        with pytest.raises(ModelError, match=r"no config file 'nowhere/config.json'"):
            build_student("transformers:nowhere/config.json", classes=3)

    def test_a_folder_without_a_config(self, tmp_path: Path):
        with pytest.raises(ModelError, match="cannot be loaded") as caught:
            build_student(f"transformers:{tmp_path}", classes=3)
        assert "\n" not in str(caught.value)

    def test_a_model_that_classifies_no_images(self, tmp_path: Path):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
        with pytest.raises(ModelError, match="cannot be loaded"):
            build_student(f"transformers:{tmp_path}", classes=3)


class TestFactory:
    def test_it_gets_classes_and_size(self):
        student = build_student("student_factories:own", classes=3, image_size=4)
        assert (student.classes, student.input.height, student.input.mean) == (3, 4, (0.1, 0.2, 0.3))
        assert build_student("student_factories:own", classes=3).input.height == 8

    def test_tied_weights_are_saved(self, tmp_path: Path):
        student = build_student("student_factories:tied", classes=3).eval()
        save_student(student, tmp_path)
        pixels = torch.rand(2, 3, 8, 8)
        assert_alike(load_student(tmp_path, trust_remote_code=True)(pixels)[1], student(pixels)[1])

    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            ("student_factories:nothing", "cannot be imported"),
            ("no_such_package.module:make", "cannot be imported: No module named 'no_such_package'"),
            ("student_factories:SIZE", "is a int, not a callable"),
            ("student_factories:fails", "the factory failed: RuntimeError: out of ideas"),
            ("student_factories:text", "returned a str, expected a torch.nn.Module"),
            ("student_factories:no_head", "returned a Linear without a usable embed, head, embedding_dim, input"),
            ("student_factories:wrong_width", r"embed gave \(2, 6\), expected \(2, 7\)"),
            ("student_factories:wrong_classes", r"head gave \(2, 4\), expected \(2, 3\)"),
        ],
    )
    def test_what_is_wrong_is_said(self, spec: str, message: str):
        with pytest.raises(ModelError, match=message):
            build_student(spec, classes=3)


class TestSpecs:
    @pytest.mark.parametrize(
        "spec", ["resnet50", "", "cnn-2:width=3", "a/b:c", "mlp:layers=3,width=2", "cnn-²", "cnn-" + "9" * 5000]
    )
    def test_unknown(self, spec: str):
        with pytest.raises(ModelError, match="no student") as caught:
            build_student(spec, classes=3)
        assert "vit:patch=4" in caught.value.mend

    @pytest.mark.parametrize("kind", KINDS[:6])
    @pytest.mark.parametrize("size", [0, 10**8])
    def test_sizes_that_no_network_is_made_for(self, specs: dict[str, str], kind: str, size: int):
        with pytest.raises(ModelError):
            build_student(specs[kind], classes=3, image_size=size)

    def test_a_size_in_a_config_that_is_none(self, tmp_path: Path):
        tiny.config("vit").save_pretrained(tmp_path)
        told = json.loads((tmp_path / "config.json").read_text())
        (tmp_path / "config.json").write_text(json.dumps({**told, "image_size": [1, 2, 3]}))
        with pytest.raises(ModelError):
            build_student(f"transformers:{tmp_path}", classes=3)

    def test_a_config_may_be_called_like_a_factory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.chdir(tmp_path)
        tiny.config("resnet").save_pretrained("vit")
        student = build_student("transformers:vit", classes=3, image_size=32).eval()
        save_student(student, "run/best")
        Path("run/run.json").write_text("{}")
        assert_alike(load_student("run")(tiny.pixels())[1], student(tiny.pixels())[1])
        assert load_teacher("run").info.weights == student_digest(Path("run"))
        assert not is_factory("transformers:vit")

    @pytest.mark.parametrize("classes", [0, -1])
    def test_classes_are_needed(self, classes: int):
        with pytest.raises(ModelError, match="needs a number of classes"):
            build_student("cnn-2", classes=classes)


class TestLoading:
    def test_a_run_gives_its_best_student(self, tmp_path: Path):
        student = build_student("cnn-2", classes=3).eval()
        save_student(student, tmp_path / "best")
        (tmp_path / "run.json").write_text("{}")
        assert_alike(load_student(tmp_path)(tiny.pixels())[1], student(tiny.pixels())[1])

    def test_no_student(self, tmp_path: Path):
        with pytest.raises(ModelError, match="holds no student") as caught:
            load_student(tmp_path)
        assert "teachonce train" in caught.value.mend

    @pytest.mark.parametrize("spec", ["cnn-2", SMALL_VIT])
    def test_a_truncated_file(self, spec: str, tmp_path: Path):
        save_student(build_student(spec, classes=3), tmp_path)
        weights = tmp_path / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-100])
        with pytest.raises(CorruptError):
            load_student(tmp_path)

    def test_weights_of_another_student(self, tmp_path: Path):
        save_student(build_student("cnn-2", classes=3), tmp_path)
        description = json.loads((tmp_path / "student.json").read_text())
        (tmp_path / "student.json").write_text(json.dumps({**description, "spec": "cnn-4"}))
        with pytest.raises(ModelError, match="cannot be read"):
            load_student(tmp_path)

"""Teachers: frozen, described, and each from where users have them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny_models as tiny
import torch
from safetensors.torch import load_file, save_file

from teachonce.errors import CorruptError, ModelError
from teachonce.models import Signals, Teacher, build_student, load_teacher, save_student
from teachonce.models.frozen import weights_digest
from teachonce.records import to_json
from teachonce.types import EvalView, InputSpec
from tests.alike import assert_alike


def signal(teacher: Teacher, size: int = 32) -> Signals:
    with torch.inference_mode():
        return teacher(tiny.pixels(size=size))


class TestClassifiers:
    @pytest.mark.parametrize("family", ["resnet", "vit", "convnext", "mobilenet", "swin", "dinov2", "deit", "clip"])
    def test_logits_follow_from_embedding_and_head(self, family: str, tmp_path: Path):
        from transformers import AutoModelForImageClassification

        teacher = load_teacher(str(tiny.classifier(tmp_path, family)))
        got = signal(teacher)
        weight, bias = teacher.head()
        assert got["image_embedding"].shape == (3, teacher.info.embedding_dim)
        assert torch.allclose(got["image_embedding"] @ weight.T + bias, got["logits"], rtol=1e-4, atol=1e-5)
        whole = AutoModelForImageClassification.from_pretrained(tmp_path).eval()
        with torch.inference_mode():
            assert torch.allclose(whole(tiny.pixels()).logits, got["logits"], rtol=1e-4, atol=1e-5)

    def test_description(self, tmp_path: Path):
        info = load_teacher(str(tiny.classifier(tmp_path, "resnet"))).info
        assert (info.kind, info.embedding, info.embedding_dim, info.classes) == ("classifier", "penultimate", 24, 3)
        assert info.class_names == ("ant", "bee", "cat")
        assert info.input == InputSpec(height=32, width=32, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
        assert info.view == EvalView(resize=(32, 32))
        assert info.processor["image_processor_type"] == "ViTImageProcessor"
        assert str(tmp_path) not in json.dumps(info.fingerprint()) + json.dumps(dict(info.config))

    def test_a_map_of_one_pixel_is_flattened(self, tmp_path: Path):
        """ResNet's pooler output is (B, D, 1, 1)."""
        assert signal(load_teacher(str(tiny.classifier(tmp_path, "resnet"))))["image_embedding"].shape == (3, 24)

    def test_placeholders_are_no_class_names(self, tmp_path: Path):
        folder = tiny.classifier(tmp_path, "resnet", ("LABEL_0", "LABEL_1"))
        assert load_teacher(str(folder)).info.class_names is None

    def test_two_averaged_heads_have_logits_but_no_head(self, tmp_path: Path):
        from transformers import DeiTForImageClassificationWithTeacher

        folder = tiny.classifier(tmp_path, "deit")
        network = DeiTForImageClassificationWithTeacher(tiny.config("deit", num_labels=3)).eval()
        network.save_pretrained(folder)
        teacher = load_teacher(str(folder))
        assert teacher.head() is None
        with torch.inference_mode():
            assert torch.allclose(signal(teacher)["logits"], network(tiny.pixels()).logits, atol=1e-6)
        assert signal(teacher)["image_embedding"].shape == (3, 16)

    def test_its_encoder_can_be_asked_for(self, tmp_path: Path):
        teacher = load_teacher(str(tiny.classifier(tmp_path, "vit")), embedding="mean")
        assert (teacher.info.kind, teacher.info.embedding, teacher.info.classes) == ("encoder", "mean", None)

    def test_a_head_that_is_not_in_the_checkpoint_is_refused(self, tmp_path: Path):
        folder = tiny.classifier(tmp_path, "vit")
        weights = load_file(folder / "model.safetensors")
        kept = {name: tensor for name, tensor in weights.items() if not name.startswith("classifier")}
        save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(ModelError, match=r"lacks 2 weights .*\(classifier.bias, classifier.weight\)"):
            load_teacher(str(folder))

    def test_a_processor_of_another_size_is_refused(self, tmp_path: Path):
        folder = tiny.classifier(tmp_path, "vit")
        tiny.write_processor(folder, size={"height": 40, "width": 40})
        with pytest.raises(ModelError, match=r"fails on images of \(40, 40\) px") as caught:
            load_teacher(str(folder))
        assert "belong together" in caught.value.mend


class TestEncoders:
    @pytest.mark.parametrize(
        ("family", "embedding", "width"),
        [
            ("resnet", "pooler", 24),
            ("convnext", "pooler", 24),
            ("mobilenet", "pooler", 256),
            ("swin", "pooler", 16),
            ("clip-vision", "pooler", 16),
            ("vit", "cls", 16),
            ("dinov2", "cls", 16),
            ("registers", "cls", 16),
            ("clip", "projected", 12),
            ("siglip", "projected", 16),
            ("ijepa", "mean", 16),
        ],
    )
    def test_what_auto_takes(self, family: str, embedding: str, width: int, tmp_path: Path):
        teacher = load_teacher(str(tiny.encoder(tmp_path, family)))
        assert (teacher.info.kind, teacher.info.embedding) == ("encoder", embedding)
        got = signal(teacher)
        assert got["image_embedding"].shape == (3, width) == (3, teacher.info.embedding_dim)
        assert "logits" not in got
        assert teacher.head() is None

    def test_clip_gives_its_projected_image_embedding_without_the_text_tower(self, tmp_path: Path):
        from transformers import CLIPModel

        teacher = load_teacher(str(tiny.encoder(tmp_path, "clip")))
        clip = CLIPModel.from_pretrained(tmp_path).eval()
        with torch.inference_mode():
            expected = clip.get_image_features(tiny.pixels()).pooler_output
        assert torch.allclose(signal(teacher)["image_embedding"], expected, atol=1e-6)
        assert not [name for name, _ in teacher.named_parameters() if "text" in name]

    def test_cls_pooler_and_mean_of_a_vit(self, tmp_path: Path):
        from transformers import AutoModel

        folder = tiny.encoder(tmp_path, "vit")
        network = AutoModel.from_pretrained(folder).eval()
        with torch.inference_mode():
            output = network(tiny.pixels())
        expected = {
            "cls": output.last_hidden_state[:, 0],
            "pooler": output.pooler_output,
            "mean": output.last_hidden_state[:, 1:].mean(1),
        }
        for embedding, values in expected.items():
            got = signal(load_teacher(str(folder), embedding=embedding))["image_embedding"]
            assert torch.allclose(got, values, atol=1e-6)

    def test_the_mean_leaves_out_class_and_register_tokens(self, tmp_path: Path):
        from transformers import AutoModel

        folder = tiny.encoder(tmp_path, "registers")
        with torch.inference_mode():
            hidden = AutoModel.from_pretrained(folder).eval()(tiny.pixels()).last_hidden_state
        got = signal(load_teacher(str(folder), embedding="mean"))["image_embedding"]
        assert torch.allclose(got, hidden[:, 4:].mean(1), atol=1e-6)

    def test_a_pooler_that_is_not_in_the_checkpoint_is_dropped(self, tmp_path: Path):
        """It would be random; transformers only warns."""
        folder = tiny.encoder(tmp_path, "vit")
        weights = load_file(folder / "model.safetensors")
        kept = {name: tensor for name, tensor in weights.items() if not name.startswith("pooler")}
        save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
        first, second = (load_teacher(str(folder)).info for _ in range(2))
        assert first.fingerprint() == second.fingerprint()
        with pytest.raises(ModelError, match="ViTModel has no pooled output"):
            load_teacher(str(folder), embedding="pooler")

    @pytest.mark.parametrize(
        ("family", "embedding", "message"),
        [
            ("swin", "cls", "SwinModel has no class token"),
            ("resnet", "cls", "ResNetModel has no class token"),
            ("vit", "projected", "ViTModel has no projected image embedding"),
            ("vit", "penultimate", "is an encoder"),
            ("ijepa", "pooler", "IJepaModel has no pooled output"),
            ("mae", "auto", "returns another embedding for the same image each time"),
            ("vit", "middle", "no embedding 'middle'"),
        ],
    )
    def test_outputs_that_are_not_there(self, family: str, embedding: str, message: str, tmp_path: Path):
        with pytest.raises(ModelError, match=message) as caught:
            load_teacher(str(tiny.encoder(tmp_path, family)), embedding=embedding)
        assert caught.value.mend


class TestFrozen:
    @pytest.fixture
    def teacher(self, tmp_path: Path):
        return load_teacher(str(tiny.classifier(tmp_path, "resnet")))

    def test_eval_float32_and_without_gradients(self, teacher: Teacher):
        assert not teacher.training
        assert not any(p.requires_grad for p in teacher.parameters())
        assert {p.dtype for p in teacher.parameters()} == {torch.float32}

    def test_it_cannot_be_set_to_train(self, teacher: Teacher):
        torch.nn.Sequential(teacher).train()
        assert not any(module.training for module in teacher.modules())

    def test_half_precision_weights_become_float32(self, tmp_path: Path):
        folder = tiny.classifier(tmp_path, "resnet")
        weights = {
            name: t.half() if t.is_floating_point() else t
            for name, t in load_file(folder / "model.safetensors").items()
        }
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        assert {p.dtype for p in load_teacher(str(folder)).parameters()} == {torch.float32}


class TestFingerprint:
    def test_it_is_json_and_stays(self, tmp_path: Path):
        folder = str(tiny.classifier(tmp_path, "resnet"))
        first, second = (load_teacher(folder).info.fingerprint() for _ in range(2))
        assert first == second == json.loads(json.dumps(first))
        assert set(first) == {"kind", "embedding", "weights", "config", "processor", "input", "view"}

    def test_it_does_not_know_the_path(self, tmp_path: Path):
        first = tiny.classifier(tmp_path / "a", "resnet")
        first.rename(tmp_path / "b")
        second = tiny.classifier(tmp_path / "a", "resnet")
        for name in ("config.json", "model.safetensors"):
            (second / name).write_bytes((tmp_path / "b" / name).read_bytes())
        assert load_teacher(str(second)).info.fingerprint() == load_teacher(str(tmp_path / "b")).info.fingerprint()

    @pytest.mark.parametrize("change", ["weights", "mean", "filter", "embedding"])
    def test_it_changes_with_what_the_outputs_depend_on(self, change: str, tmp_path: Path):
        folder = tiny.encoder(tmp_path, "vit")
        before = load_teacher(str(folder)).info.fingerprint()
        embedding = "mean" if change == "embedding" else "auto"
        if change == "weights":
            weights = load_file(folder / "model.safetensors")
            next(iter(weights.values())).view(-1)[0] += 1e-3
            save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        elif change == "mean":
            tiny.write_processor(folder, image_mean=[0.4, 0.5, 0.61])
        elif change == "filter":
            tiny.write_processor(folder, resample=2)
        assert load_teacher(str(folder), embedding=embedding).info.fingerprint() != before

    def test_the_digest_sees_names_dtypes_shapes_and_bytes(self):
        class Holder(torch.nn.Module):
            def __init__(self, **tensors: torch.Tensor) -> None:
                super().__init__()
                for name, tensor in tensors.items():
                    self.register_buffer(name, tensor)

        value = torch.arange(6, dtype=torch.float32)
        digests = [
            weights_digest(Holder(a=value)),
            weights_digest(Holder(b=value)),
            weights_digest(Holder(a=value.view(2, 3))),
            weights_digest(Holder(a=value.view(torch.int32))),
            weights_digest(Holder(a=value + 1)),
        ]
        assert len(set(digests)) == len(digests)
        assert weights_digest(Holder(a=value, b=value)) == weights_digest(Holder(b=value.clone(), a=value))
        assert weights_digest(Holder(a=torch.tensor(3), b=value.bfloat16()))


class TestOwnNetworks:
    def test_a_trained_run(self, tmp_path: Path):
        student = build_student("vit:patch=8,width=16,layers=1,heads=2", classes=3, image_size=32).eval()
        save_student(student, tmp_path / "best")
        view = EvalView(resize=36, crop=(32, 32))
        run = {"class_names": ["ant", "bee", "cat"], "view": to_json(view), "student": student.spec}
        (tmp_path / "run.json").write_text(json.dumps(run))
        teacher = load_teacher(str(tmp_path))
        got = signal(teacher)
        assert_alike(got["logits"], student(tiny.pixels())[1])
        assert teacher.info.class_names == ("ant", "bee", "cat")
        assert (teacher.info.view, teacher.info.input) == (view, student.input)
        weight, bias = teacher.head()
        assert torch.allclose(got["image_embedding"] @ weight.T + bias, got["logits"], atol=1e-6)

    def test_a_run_without_a_student_yet(self, tmp_path: Path):
        (tmp_path / "run.json").write_text("{}")
        with pytest.raises(ModelError, match="holds no student"):
            load_teacher(str(tmp_path))

    def test_a_run_that_is_not_json(self, tmp_path: Path):
        (tmp_path / "run.json").write_text("{")
        with pytest.raises(CorruptError):
            load_teacher(str(tmp_path))

    @pytest.mark.parametrize("spec", ["cnn-2", "vit:patch=8,width=16,layers=1,heads=2", "student_factories:own"])
    def test_random_weights_from_the_seed(self, spec: str):
        first, second, other = (load_teacher(spec, classes=4, seed=seed, image_size=32) for seed in (1, 1, 2))
        assert first.info == second.info
        assert first.info.weights != other.info.weights
        assert signal(first)["logits"].shape == (3, 4)
        assert first.info.view == EvalView(resize=(32, 32))
        assert first.head() is not None

    def test_the_head_is_not_given_where_logits_are_more_than_linear(self):
        teacher = load_teacher("student_factories:squashed", classes=4)
        assert teacher.head() is None

    @pytest.mark.parametrize("embedding", ["cls", "middle"])
    def test_they_have_one_embedding(self, embedding: str):
        with pytest.raises(ModelError, match=f"has one embedding.*got --embedding {embedding}"):
            load_teacher("cnn-2", embedding=embedding)

    def test_the_device(self):
        teacher = load_teacher("cnn-2", classes=3, device=torch.device("cpu"))
        assert next(teacher.parameters()).device.type == "cpu"


class TestBadFolders:
    def test_options_without_an_effect(self, tmp_path: Path):
        folder = str(tiny.classifier(tmp_path, "resnet"))
        with pytest.raises(ModelError, match="has its own image size, got image size 64"):
            load_teacher(folder, image_size=64)
        with pytest.raises(ModelError, match="is a folder, which has no revision 'main'"):
            load_teacher(folder, revision="main")

    def test_pickled_weights_are_never_opened(self, tmp_path: Path):
        folder = tiny.classifier(tmp_path, "resnet")
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
        with pytest.raises(ModelError, match="pickled weights only") as caught:
            load_teacher(str(folder))
        assert "save_pretrained" in caught.value.mend

    def test_no_weights(self, tmp_path: Path):
        folder = tiny.classifier(tmp_path, "resnet")
        (folder / "model.safetensors").unlink()
        with pytest.raises(ModelError, match=r"holds no weights: expected model\.safetensors"):
            load_teacher(str(folder))

    def test_no_config(self, tmp_path: Path):
        with pytest.raises(ModelError, match=r"holds no config.json"):
            load_teacher(str(tmp_path))

    def test_truncated_weights(self, tmp_path: Path):
        folder = tiny.classifier(tmp_path, "resnet")
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-100])
        with pytest.raises(CorruptError):
            load_teacher(str(folder))

    def test_an_unknown_architecture(self, tmp_path: Path):
        folder = tiny.classifier(tmp_path, "resnet")
        (folder / "config.json").write_text(json.dumps({"model_type": "resnot"}))
        with pytest.raises(ModelError, match="cannot be loaded") as caught:
            load_teacher(str(folder))
        assert "\n" not in str(caught.value)

    def test_code_of_its_own_runs_only_when_asked(self, tmp_path: Path):
        folder = tiny.classifier(tmp_path, "resnet")
        config = json.loads((folder / "config.json").read_text())
        config["model_type"] = "mine"
        config["auto_map"] = {"AutoConfig": "mine.Config", "AutoModel": "mine.Model"}
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "mine.py").write_text("raise SystemExit('ran')")
        with pytest.raises(ModelError, match="runs its own code") as caught:
            load_teacher(str(folder))
        assert "--trust-remote-code" in caught.value.mend

    def test_nan_is_not_looked_for_here(self, tmp_path: Path):
        """A teacher with NaN loads: what it gives is checked where it is stored, by row."""
        folder = tiny.encoder(tmp_path, "convnext")
        weights = load_file(folder / "model.safetensors")
        weights[max(weights)].fill_(np.nan)
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        assert signal(load_teacher(str(folder)))["image_embedding"].isnan().any()


class TestBuiltIn:
    @pytest.mark.parametrize(("name", "size", "width"), [("wrn-40-1", 32, 64), ("resnet8x4", 32, 256)])
    def test_by_name(self, name: str, size: int, width: int):
        teacher = load_teacher(name, classes=7, seed=3)
        assert (teacher.info.input.height, teacher.info.embedding_dim, teacher.info.classes) == (size, width, 7)
        assert teacher.head() is not None
        assert teacher.info.weights == load_teacher(name, classes=7, seed=3).info.weights
        assert teacher.info.weights != load_teacher(name, classes=7, seed=4).info.weights

    def test_imagenet_networks_take_a_size(self):
        assert load_teacher("resnet-18", classes=7, image_size=64).info.input.height == 64

    def test_a_folder_of_that_name_comes_first(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        tiny.classifier(tmp_path / "resnet-18", "resnet")
        monkeypatch.chdir(tmp_path)
        assert load_teacher("resnet-18").info.class_names == ("ant", "bee", "cat")


def test_the_same_weights_in_two_files_give_the_same_bits(tmp_path: Path):
    """Where the tensors begin in a file depends on the length of its header."""

    folders = [tiny.classifier(tmp_path / "a", "mobilenet"), tmp_path / "b"]
    shutil.copytree(folders[0], folders[1])
    weights = load_file(folders[0] / "model.safetensors")
    save_file(weights, folders[1] / "model.safetensors", metadata={"format": "pt", "note": "x" * 4})
    first, second = (load_teacher(str(folder)) for folder in folders)
    assert all(parameter.data_ptr() % 64 == 0 for parameter in (*first.parameters(), *second.parameters()))
    with torch.inference_mode():
        outputs = [teacher(tiny.pixels()) for teacher in (first, second)]
    assert torch.equal(*(output["image_embedding"] for output in outputs))
    assert first.info.weights == second.info.weights

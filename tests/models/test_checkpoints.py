"""Checkpoints as people have them: parts that no network takes, towers with a projection, files that are others."""

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_models as tiny
import torch
from safetensors.torch import load_file, save_file

from teachonce.errors import CorruptError, ModelError, TeachonceError
from teachonce.models import load_teacher
from teachonce.models.hub import locate

WEIGHTS = "model.safetensors"
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 346293852\n"
SHOWN = {
    "pointer": (POINTER, "git-lfs pointer"),
    "html": ("\n<!DOCTYPE html><html>not found</html>", "HTML"),
    "xml": ('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "XML"),
    "empty": ("", "empty"),
}


def save(folder: Path, name: str, config: Any) -> Path:
    """A folder with weights of a class of transformers, drawn far from zero."""
    import transformers

    return tiny._save(folder, getattr(transformers, name)(config))


def rewrite(folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    save_file(change(load_file(folder / WEIGHTS)), folder / WEIGHTS, metadata={"format": "pt"})


def edit(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def with_projection(folder: Path, kind: str) -> Path:
    import transformers

    config = getattr(transformers, f"{kind}VisionConfig")(**tiny.TOWER, projection_dim=12)
    return save(folder, f"{kind}VisionModelWithProjection", config)


class TestProjections:
    @pytest.mark.parametrize("kind", ["CLIP", "MetaClip2"])
    def test_a_tower_with_its_projection_gives_the_shared_space(self, kind: str, tmp_path: Path):
        import transformers

        folder = with_projection(tmp_path, kind)
        whole = getattr(transformers, f"{kind}VisionModelWithProjection").from_pretrained(folder).eval()
        with torch.inference_mode():
            expected = whole(pixel_values=tiny.pixels())
        for embedding in ("auto", "projected"):
            teacher = load_teacher(str(folder), embedding=embedding)
            assert (teacher.info.embedding, teacher.info.embedding_dim, teacher.info.unused) == ("projected", 12, ())
            with torch.inference_mode():
                assert torch.allclose(teacher(tiny.pixels())["image_embedding"], expected.image_embeds, atol=1e-6)
        with torch.inference_mode():
            cls = load_teacher(str(folder), embedding="cls")(tiny.pixels())["image_embedding"]
        assert torch.allclose(cls, expected.last_hidden_state[:, 0], atol=1e-6)

    def test_where_the_config_names_no_projection_it_is_named_as_unused(self, tmp_path: Path):
        folder = with_projection(tmp_path, "CLIP")
        edit(folder, architectures=["CLIPVisionModel"])
        info = load_teacher(str(folder)).info
        assert (info.embedding, info.unused) == ("pooler", ("visual_projection",))

    @pytest.mark.parametrize("name", ["CLIPVisionModelWithProjection", "VisionModelWithProjection", "PreTrainedModel"])
    def test_a_config_of_another_family_does_not_choose_the_class(self, name: str, tmp_path: Path):
        folder = tiny.encoder(tmp_path, "vit")
        edit(folder, architectures=[name])
        assert load_teacher(str(folder)).info.embedding == "cls"


class TestUnused:
    @pytest.mark.parametrize(
        ("name", "config", "unused"),
        [
            ("ViTForImageClassification", lambda: tiny.config("vit"), ("classifier",)),
            ("Dinov2ForImageClassification", lambda: tiny.config("dinov2"), ("classifier",)),
            ("ViTForMaskedImageModeling", lambda: tiny.config("vit", encoder_stride=8), ("decoder",)),
            ("SwinForMaskedImageModeling", lambda: tiny.config("swin"), ("decoder",)),
        ],
    )
    def test_parts_behind_the_encoder_are_named(self, name: str, config: Any, unused: Any, tmp_path: Path):
        info = load_teacher(str(save(tmp_path, name, config())), embedding="mean").info
        assert info.unused == unused
        assert "unused" not in info.fingerprint()

    @pytest.mark.parametrize(
        "name", ["vit.pooler.dense.weight", "vit.embeddings.mask_token", "vit.embeddings.position_ids"]
    )
    def test_what_does_not_matter_is_not_named(self, name: str, tmp_path: Path):
        folder = tiny.classifier(tmp_path, "vit")
        rewrite(folder, lambda weights: weights | {name: torch.zeros(16, 16)})
        assert load_teacher(str(folder)).info.unused == ()

    @pytest.mark.parametrize("embedding", ["auto", "cls"])
    @pytest.mark.parametrize(
        "name", ["vit.layers.7.mlp.fc1.bias", "vit.layers.0.attention.q_proj.lora_A.weight", "vit.layers.0.scale"]
    )
    def test_weights_inside_of_the_network_are_refused(self, name: str, embedding: str, tmp_path: Path):
        folder = tiny.classifier(tmp_path, "vit")
        rewrite(folder, lambda weights: weights | {name: torch.zeros(4)})
        with pytest.raises(ModelError, match="does not have") as caught:
            load_teacher(str(folder), embedding=embedding)
        assert name.removeprefix("vit.") in caught.value.message

    def test_registers_that_its_config_does_not_know_are_refused(self, tmp_path: Path):
        folder = tiny.encoder(tmp_path, "registers")
        edit(folder, model_type="dinov2")
        with pytest.raises(ModelError, match="register_tokens"):
            load_teacher(str(folder))

    @pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "backbone."])
    @pytest.mark.parametrize("make", [tiny.encoder, tiny.classifier])
    def test_a_wrapper_is_named(self, prefix: str, make: Any, tmp_path: Path):
        folder = make(tmp_path, "vit")
        rewrite(folder, lambda weights: {f"{prefix}{name}": value for name, value in weights.items()})
        with pytest.raises(ModelError) as caught:
            load_teacher(str(folder))
        assert prefix in caught.value.mend

    def test_architectures_as_one_text(self, tmp_path: Path):
        folder = tiny.classifier(tmp_path, "vit")
        edit(folder, architectures="ViTForImageClassification")
        assert load_teacher(str(folder)).info.kind == "classifier"


def bert() -> tuple[str, Any]:
    from transformers import BertConfig

    sizes = {name: tiny.TEXT[name] for name in ("hidden_size", "num_hidden_layers", "num_attention_heads")}
    return "BertModel", BertConfig(**sizes, intermediate_size=32, vocab_size=99)


def clip_text() -> tuple[str, Any]:
    from transformers import CLIPTextConfig

    return "CLIPTextModelWithProjection", CLIPTextConfig(**tiny.TEXT)


def t5() -> tuple[str, Any]:
    from transformers import T5Config

    return "T5EncoderModel", T5Config(d_model=16, d_ff=16, num_layers=1, num_heads=2, d_kv=8, vocab_size=99)


class TestOtherModels:
    @pytest.mark.parametrize("make", [bert, clip_text, t5])
    @pytest.mark.parametrize("modules", [True, False])
    def test_text_encoders_are_named(self, make: Callable[[], tuple[str, Any]], modules: bool, tmp_path: Path):
        name, config = make()
        folder = save(tmp_path, name, config)
        (folder / "preprocessor_config.json").unlink()
        if modules:
            (folder / "modules.json").write_text("[]")
        with pytest.raises(ModelError, match="text encoder"):
            load_teacher(str(folder))

    @pytest.mark.parametrize("method", ["bitsandbytes", "gptq", "fp8", "of tomorrow"])
    @pytest.mark.parametrize("embedding", ["auto", "mean"])
    def test_quantized_ones_are_refused(self, method: str, embedding: str, tmp_path: Path):
        folder = tiny.classifier(tmp_path, "vit")
        edit(folder, quantization_config={"quant_method": method})
        with pytest.raises(ModelError, match=f"quantized .{method}"):
            load_teacher(str(folder), embedding=embedding)

    def test_an_adapter_would_be_left_out(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        folder = tiny.classifier(tmp_path, "vit")
        (folder / "adapter_config.json").write_text("{}")
        with pytest.raises(ModelError, match="adapter"):
            load_teacher(str(folder))

    def test_an_adapter_of_a_hub_model(self, monkeypatch: pytest.MonkeyPatch):
        import huggingface_hub
        from huggingface_hub.hf_api import ModelInfo

        files = [{"rfilename": name} for name in ("config.json", "adapter_config.json", WEIGHTS)]
        info = ModelInfo(id="owner/name", sha="abc", siblings=files)
        monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: info)
        with pytest.raises(ModelError, match="adapter"):
            locate("owner/name", revision=None)

    @pytest.mark.parametrize(
        "config", [{"architecture": "resnet18", "pretrained_cfg": {}}, {"model_type": "timm_wrapper"}]
    )
    def test_models_of_timm_are_named(self, config: dict[str, Any], tmp_path: Path):
        folder = tiny.classifier(tmp_path, "vit")
        (folder / "config.json").write_text(json.dumps({"architecture": "resnet18", "num_classes": 3} | config))
        with pytest.raises(ModelError, match="timm"):
            load_teacher(str(folder))

    @pytest.mark.parametrize("name", ["modules.json", "open_clip_config.json", "model_index.json"])
    def test_folders_of_other_libraries_are_named(self, name: str, tmp_path: Path):
        (tmp_path / name).write_text("{}")
        library = {"m": "sentence-transformers|diffusers", "o": "OpenCLIP"}[name[0]]
        with pytest.raises(ModelError, match=library):
            load_teacher(str(tmp_path))

    def test_weights_of_other_shapes(self, tmp_path: Path):
        folder = tiny.classifier(tmp_path, "vit")
        edit(folder, id2label=None, label2id=None, num_labels=7)
        with pytest.raises(ModelError, match="other shapes"):
            load_teacher(str(folder))

    def test_numbers_that_are_none_do_not_break_its_description(self, tmp_path: Path):
        folder = tiny.classifier(tmp_path, "vit")
        for name in ("config.json", "preprocessor_config.json"):
            text = (folder / name).read_text().rstrip()
            (folder / name).write_text(text[:-1] + ', "more": NaN, "most": -Infinity}')
        info = load_teacher(str(folder)).info
        json.dumps([dict(info.config), info.fingerprint()], allow_nan=False)


class TestFiles:
    @pytest.mark.parametrize("kind", SHOWN)
    @pytest.mark.parametrize("name", [WEIGHTS, "config.json", "preprocessor_config.json"])
    def test_a_file_in_the_place_of_another_is_named(self, name: str, kind: str, tmp_path: Path):
        folder = tiny.classifier(tmp_path, "vit")
        text, word = SHOWN[kind]
        (folder / name).write_text(text)
        with pytest.raises(CorruptError, match=word) as caught:
            load_teacher(str(folder))
        assert name in caught.value.message

    @pytest.mark.parametrize("name", [WEIGHTS, "config.json", "preprocessor_config.json"])
    def test_a_link_whose_file_is_gone_is_named(self, name: str, tmp_path: Path):
        folder = tiny.classifier(tmp_path, "vit")
        (folder / name).unlink()
        (folder / name).symlink_to("../../blobs/0a1b")
        with pytest.raises(CorruptError, match=r"link to .*0a1b, which is missing"):
            load_teacher(str(folder))

    def test_weights_that_are_a_pickle_are_named(self, tmp_path: Path):
        folder = tiny.classifier(tmp_path, "vit")
        with zipfile.ZipFile(folder / WEIGHTS, "w") as archive:  # as PyTorch saves them
            archive.writestr("archive/data.pkl", pickle.dumps({"a": 1}))
        with pytest.raises(CorruptError, match="pickle"):
            load_teacher(str(folder))

    @pytest.mark.parametrize("name", ["tokenizer.json", "pytorch_model.bin", "model.fp16.safetensors", "README.md"])
    def test_pointers_that_nobody_reads_do_no_harm(self, name: str, tmp_path: Path):
        folder = tiny.classifier(tmp_path, "vit")
        (folder / name).write_text(POINTER)
        assert load_teacher(str(folder)).info.classes == 3

    @pytest.mark.parametrize(
        ("name", "word"),
        [
            ("model.fp16.safetensors", "fp16"),
            ("open_clip_model.safetensors", "OpenCLIP"),
            ("pytorch_model.bin", "pickled"),
            ("tf_model.h5", "TensorFlow"),
            ("flax_model.msgpack", "Flax"),
            ("model.onnx", "ONNX"),
        ],
    )
    def test_weights_in_another_form_are_named(self, name: str, word: str, tmp_path: Path):
        folder = tiny.classifier(tmp_path, "vit")
        (folder / WEIGHTS).rename(folder / name)
        with pytest.raises(ModelError, match=word):
            load_teacher(str(folder))

    def test_a_download_that_was_not_finished(self, tmp_path: Path):
        folder = tiny.classifier(tmp_path, "vit")
        left = folder / ".cache/huggingface/download/0a1b.incomplete"
        left.parent.mkdir(parents=True)
        (folder / WEIGHTS).rename(left)
        with pytest.raises(ModelError, match="not finished"):
            load_teacher(str(folder))

    @pytest.mark.parametrize("kind", ["whole", "pointer", "gone", "missing", "index"])
    def test_weights_in_several_files(self, kind: str, tmp_path: Path):
        from transformers import ViTForImageClassification

        folder = tiny.classifier(tmp_path, "vit")
        network = ViTForImageClassification.from_pretrained(folder)
        (folder / WEIGHTS).unlink()
        network.save_pretrained(folder, max_shard_size="5KB")
        shard = sorted(folder.glob("model-*.safetensors"))[1]
        if kind == "whole":
            assert load_teacher(str(folder)).info.classes == 3
            return
        damaged = folder / "model.safetensors.index.json" if kind == "index" else shard
        damaged.unlink()
        if kind == "gone":
            damaged.symlink_to("blob")
        elif kind != "missing":
            damaged.write_text(POINTER)
        with pytest.raises(
            TeachonceError, match={"gone": "link", "missing": "is missing"}.get(kind, "git-lfs")
        ) as caught:
            load_teacher(str(folder))
        assert damaged.name in caught.value.message

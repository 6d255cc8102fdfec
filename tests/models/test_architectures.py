"""Teachers of many architectures give what transformers gives for the same image, by the model's own processor."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models as tiny
import torch
from PIL import Image

from teachonce.data.pil import evaluation_view
from teachonce.errors import ModelError
from teachonce.models import Teacher, build_student, load_teacher
from teachonce.models.encoders import CHOICES
from teachonce.models.initial import initialise
from teachonce.models.processor import load_processor

PYRAMID = {"hidden_sizes": [8, 8, 16, 16], "depths": [1] * 4, "num_attention_heads": [1, 2, 2, 4], "image_size": 64}
MOBILE = {"hidden_sizes": [16, 24, 32], "neck_hidden_sizes": [8, 8, 16, 16, 16, 24, 32], "image_size": 64}
TOWERS = {"vision_config": tiny.TOWER, "text_config": tiny.TEXT, "projection_dim": 12}
FLIPPING = {
    "image_processor_type": "MobileViTImageProcessor",
    "size": {"shortest_edge": 72},
    "crop_size": {"height": 64, "width": 64},
    "resample": 2,
    "do_normalize": None,
}

ENCODERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "beit": ("BeitConfig", tiny.TOWER, "cls"),
    "data2vec-vision": ("Data2VecVisionConfig", tiny.TOWER, "cls"),
    "vit_msn": ("ViTMSNConfig", tiny.TOWER, "cls"),
    "dinov3_vit": ("DINOv3ViTConfig", {**tiny.TOWER, "num_register_tokens": 2}, "cls"),
    "yolos": ("YolosConfig", {**tiny.TOWER, "image_size": [32, 32], "num_detection_tokens": 5}, "cls"),
    "aimv2": ("Aimv2VisionConfig", tiny.TOWER, "pooler"),
    "dpt": ("DPTConfig", tiny.TOWER, "cls"),
    "regnet": ("RegNetConfig", {**tiny.STAGES, "embedding_size": 8, "groups_width": 8}, "pooler"),
    "segformer": ("SegformerConfig", PYRAMID, "mean"),
    "poolformer": ("PoolFormerConfig", {"hidden_sizes": [8, 8, 16, 16], "depths": [1] * 4}, "mean"),
    "mobilevit": ("MobileViTConfig", MOBILE, "pooler"),
    "swinv2": ("Swinv2Config", tiny.SWIN, "pooler"),
    "altclip": ("AltCLIPConfig", TOWERS, "projected"),
    "chinese_clip": ("ChineseCLIPConfig", TOWERS, "projected"),
    "metaclip_2": ("MetaClip2Config", TOWERS, "projected"),
    "blip": ("BlipConfig", TOWERS, "projected"),
    "groupvit": ("GroupViTConfig", {**TOWERS, "vision_config": {**tiny.TOWER, "depths": [1, 1, 1]}}, "projected"),
}
CLASSIFIERS = ("beit", "regnet", "segformer", "poolformer", "mobilevit", "swinv2", "metaclip_2")


def made(folder: Path, family: str, auto: str) -> tuple[Path, Any]:
    """A folder with a model of random weights and its processor, and the model."""
    import transformers

    name, values, _ = ENCODERS[family]
    config = getattr(transformers, name)(**values)
    config.architectures, config.num_labels = [], 3
    network = getattr(transformers, auto).from_config(config)
    size = 64 if values.get("image_size") == 64 else 32
    tiny._save(folder, network)
    calibrate(network, size)
    network.eval().save_pretrained(folder)
    tiny.write_processor(folder, **(FLIPPING if family == "mobilevit" else {"size": {"height": size, "width": size}}))
    return folder, network


def calibrate(network: Any, size: int) -> None:
    """Batch norms with the statistics of pixels: without them small weights leave nothing of an image."""
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    if norms:
        with torch.no_grad():
            network.train()(tiny.pixels(8, size))


def same(got: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Whether outputs for two images differ by far less than those of the two images do."""
    apart = (wanted[0] - wanted[1]).abs().max()
    return bool(apart > 1e-3 and (got - wanted).abs().max() < 0.01 * apart)


def images() -> list[Image.Image]:
    noise = np.random.default_rng(3)
    return [Image.fromarray(noise.integers(0, 256, (90, side, 3), np.uint8)) for side in (80, 131)]


def pixels(folder: Path, teacher: Teacher) -> tuple[torch.Tensor, torch.Tensor]:
    """What the model's own processor makes of images, and what we make."""
    where = {"pretrained_model_name_or_path": str(folder), "local_files_only": True}
    own = load_processor("t", where, trust_remote_code=False)(images=images(), return_tensors="np")["pixel_values"]
    ours = [evaluation_view(np.asarray(image), teacher.info.input, teacher.info.view) for image in images()]
    return torch.from_numpy(np.stack(own)).float(), torch.from_numpy(np.stack(ours)).float()


def expected(network: Any, embedding: str, given: torch.Tensor) -> torch.Tensor:
    """The embedding as the docs of transformers say it is taken."""
    if embedding == "projected":
        return network.get_image_features(given).pooler_output
    tower = getattr(network, "vision_model", network)
    output = tower(given)
    if embedding == "pooler":
        return output.pooler_output.flatten(1)
    hidden = output.last_hidden_state
    if embedding == "cls":
        return hidden[:, 0]
    if hidden.ndim == 4:
        return hidden.mean((2, 3))
    names = [name.rpartition(".")[2] for name, _ in tower.named_parameters()]
    has_class_token = (
        any(name in ("cls_token", "class_embedding") for name in names) and "aimv2" not in type(tower).__name__.lower()
    )
    return hidden[:, has_class_token + getattr(tower.config, "num_register_tokens", 0) :].mean(1)


@pytest.mark.parametrize("family", ENCODERS)
def test_encoders_in_each_of_their_embeddings(family: str, tmp_path: Path):
    folder, network = made(tmp_path, family, "AutoModel")
    taken, mends = [], []
    for embedding in CHOICES[:-1]:
        try:
            teacher = load_teacher(str(folder), embedding=embedding)
        except ModelError as error:
            mends.append(error.mend)
            continue
        own, ours = pixels(folder, teacher)
        with torch.inference_mode():
            got = teacher(ours)["image_embedding"]
            assert same(got, expected(network, teacher.info.embedding, own))
        taken.append(teacher.info.embedding)
        assert teacher.info.unused == ()
    assert taken[0] == ENCODERS[family][2]
    assert len(taken) > 1
    assert all("Choose another --embedding" in mend for mend in mends)


@pytest.mark.parametrize("family", CLASSIFIERS)
def test_classifiers(family: str, tmp_path: Path):
    folder, network = made(tmp_path, family, "AutoModelForImageClassification")
    teacher = load_teacher(str(folder))
    own, ours = pixels(folder, teacher)
    with torch.inference_mode():
        assert same(teacher(ours)["logits"], network(own).logits)
    weight, bias = teacher.head()
    with torch.inference_mode():
        signal = teacher(ours)
    assert torch.allclose(signal["image_embedding"] @ weight.T + bias, signal["logits"], rtol=1e-4, atol=1e-5)


def test_a_teacher_of_bgr_is_given_rgb(tmp_path: Path):
    """Its pixels are the view's, in RGB; the same network without the flip is another teacher."""
    folder, network = made(tmp_path, "mobilevit", "AutoModelForImageClassification")
    teacher = load_teacher(str(folder))
    _, ours = pixels(folder, teacher)
    with torch.inference_mode():
        assert same(teacher(ours)["logits"], network(ours.flip(1)).logits)
    before = teacher.info.fingerprint()
    tiny.write_processor(folder, **FLIPPING, do_flip_channel_order=False)
    straight = load_teacher(str(folder))
    with torch.inference_mode():
        assert same(straight(ours)["logits"], network(ours).logits)
        assert not same(straight(ours)["logits"], teacher(ours)["logits"])
    assert straight.info.fingerprint() != before


def test_a_student_from_weights_for_bgr_takes_rgb(tmp_path: Path):
    """As the teacher of the same folder does."""
    folder, _ = made(tmp_path, "mobilevit", "AutoModelForImageClassification")
    teacher = load_teacher(str(folder))
    _, ours = pixels(folder, teacher)
    assert teacher.info.classes is not None
    student = build_student(f"transformers:{folder}", classes=teacher.info.classes)
    initial = initialise(student.eval(), str(folder))
    assert (initial.bgr, initial.head) == (True, True)
    with torch.inference_mode():
        assert same(student(ours)[1], teacher(ours)["logits"])
    tiny.write_processor(folder, **FLIPPING, do_flip_channel_order=False)
    assert not initialise(student, str(folder)).bgr
    with torch.inference_mode():
        assert same(student(ours.flip(1))[1], teacher(ours)["logits"])


def test_a_token_of_the_pooling_is_no_class_token(tmp_path: Path):
    """AIMv2's stands before no patches: the first token is a patch."""
    folder, _ = made(tmp_path, "aimv2", "AutoModel")
    with pytest.raises(ModelError, match="no class token"):
        load_teacher(str(folder), embedding="cls")


def test_tokens_behind_the_patches_are_not_averaged(tmp_path: Path):
    folder, _ = made(tmp_path, "yolos", "AutoModel")
    with pytest.raises(ModelError, match="tokens of other kinds"):
        load_teacher(str(folder), embedding="mean")


def test_a_class_without_a_label_map_has_no_names(tmp_path: Path):
    """PVT's config has none by default."""
    from transformers import AutoModelForImageClassification, PvtConfig

    config = PvtConfig(image_size=64, num_encoder_blocks=4, **{k: v for k, v in PYRAMID.items() if k != "image_size"})
    tiny._save(tmp_path, AutoModelForImageClassification.from_config(config))
    tiny.write_processor(tmp_path, size={"height": 64, "width": 64})
    assert load_teacher(str(tmp_path)).info.class_names is None

"""Warnings about a teacher's outputs, in `embed` and live: unused weights, classes without names, no softmax."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from teachonce.data.samples import ArraySamples
from teachonce.models import Teacher
from teachonce.stages.embed import embed
from tests.models import tiny_models as tiny
from tests.stages.embedding import Heard, options, teacher
from tests.stages.trainkit import quick

CLASSES = 12


def with_unused(*parts: str) -> Teacher:
    made = teacher()
    made.info = replace(made.info, unused=parts)
    return made


@pytest.mark.parametrize(
    "part", ["classifier", "decoder", "decode_head", "text_projection", "lm_head", "bbox_predictor"]
)
def test_what_comes_after_an_encoder_is_no_warning(part: str, tmp_path: Path):
    heard = Heard()
    embed(teacher=with_unused(part), data="digits", limit=64, events=heard, **options(tmp_path / "s.zarr"))
    assert sum(part in text for text in heard.infos) == 1
    assert not any(part in text for text in heard.warnings)


@pytest.mark.parametrize("part", ["visual_projection", "fc_norm", "layernorm", "image_projection", "something_new"])
def test_what_an_embedding_may_be_meant_to_pass_is_one(part: str, tmp_path: Path):
    heard = Heard()
    given = with_unused("classifier", part)
    embed(teacher=given, data="digits", limit=64, events=heard, **options(tmp_path / "s.zarr"))
    assert sum(part in text for text in heard.warnings) == 1
    assert sum("classifier" in text for text in heard.infos) == 1


def test_where_all_is_used_nothing_is_said(tmp_path: Path):
    heard = Heard()
    embed(teacher=teacher(), data="digits", limit=64, events=heard, **options(tmp_path / "s.zarr"))
    assert not any("checkpoint" in text for text in (*heard.infos, *heard.warnings))


def samples() -> ArraySamples:
    """Classes `0`, `1`, `10`, `11`, `2`, ...: in the order of texts."""
    generator = np.random.default_rng(1)
    images = generator.integers(0, 256, (60, 16, 16, 3), np.uint8)
    return ArraySamples(images, np.arange(60) % CLASSES, sorted(map(str, range(CLASSES))))


def projecting(folder: Path) -> str:
    """An encoder whose checkpoint has a projection that its class lacks."""
    made = tiny.encoder(folder, "vit")
    weights = safetensors.torch.load_file(made / "model.safetensors")
    weights["visual_projection.weight"] = torch.ones(4, 16)
    safetensors.torch.save_file(weights, made / "model.safetensors", metadata={"format": "pt"})
    return str(made)


def nameless(folder: Path) -> str:
    return str(tiny.classifier(folder, "vit", tuple(f"LABEL_{index}" for index in range(CLASSES))))


def of_many_labels(folder: Path) -> str:
    made = tiny.classifier(folder, "vit", samples().class_names or ())
    config = json.loads((made / "config.json").read_text())
    (made / "config.json").write_text(json.dumps(config | {"problem_type": "multi_label_classification"}))
    return str(made)


@pytest.mark.parametrize(
    ("make", "method", "word"),
    [
        (projecting, "clip-teacher-kd", "visual_projection"),
        (nameless, "kd", "output 2 is taken for class '10'"),
        (of_many_labels, "kd", "multi_label_classification"),
        (nameless, "clip-teacher-kd", ""),  # whose outputs are not used
    ],
)
def test_a_live_teacher_is_warned_of_as_in_embed(make: Callable[[Path], str], method: str, word: str, tmp_path: Path):
    given = make(tmp_path / "teacher")
    heard, live = Heard(), Heard()
    training = {"method": method, "source": "live", "teacher": given, "epochs": 1}
    quick(tmp_path / "r", data=samples(), limit=None, events=live, **training)
    embed(teacher=given, data=samples(), events=heard, **options(tmp_path / "s.zarr"))
    about = [text for text in live.warnings if "the teacher" in text]
    assert len(about) == bool(word)
    assert all(word in text and text in heard.warnings for text in about)

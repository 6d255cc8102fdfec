"""Multiply-accumulates and parameters of built-in networks against the numbers that papers quote."""

import threading
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from teachonce.models import Student, build_student, from_student, load_teacher
from teachonce.models.macs import count_macs
from teachonce.types import InputSpec
from tests.models import tiny_models

SMALL = InputSpec(height=6, width=6)
MAP = 6 * 6


class Attention(nn.Module):
    """One attention over the pixels of an image, two heads of width 8."""

    def __init__(self) -> None:
        super().__init__()
        self.widen = nn.Conv2d(3, 16, 1, bias=False)

    def forward(self, pixels: Tensor) -> Tensor:
        heads = self.widen(pixels).flatten(2).unflatten(1, (2, 8)).transpose(2, 3)
        return functional.scaled_dot_product_attention(heads, heads, heads)


class Encoder(nn.Module):
    """One transformer layer over the pixels, which torch fuses where it needs no gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(4, 2, dim_feedforward=8, dropout=0.5, batch_first=True)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.layer(nn.functional.pad(pixels, (0, 0, 0, 0, 0, 1)).flatten(2).transpose(1, 2))


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.Conv2d(3, 8, 3, padding=1), MAP * 9 * 3 * 8),
        (nn.Conv2d(3, 8, 3, stride=2, padding=1), MAP // 4 * 9 * 3 * 8),
        (nn.Conv2d(3, 6, 3, padding=1, groups=3), MAP * 9 * 6),
        (nn.Sequential(nn.Flatten(), nn.Linear(3 * MAP, 5)), 3 * MAP * 5),
        (Attention(), MAP * 3 * 16 + 2 * MAP * MAP * 16),
        (Encoder(), MAP * (4 * 12 + 4 * 4 + 2 * 4 * 8) + 2 * MAP * MAP * 4),
        (nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2)), 0),
    ],
    ids=["convolution", "strided", "depthwise", "linear", "attention", "fused encoder", "nothing"],
)
def test_layers_against_their_formula(layer: nn.Module, expected: int):
    assert count_macs(layer, SMALL) == expected


def test_counting_changes_nothing():
    student = build_student("wrn-40-1", classes=3).train()
    before = {name: value.clone() for name, value in student.state_dict().items()}
    state, fast = torch.get_rng_state(), torch.backends.mha.get_fastpath_enabled()
    count_macs(student, student.input)
    assert student.training
    assert all(torch.equal(value, before[name]) for name, value in student.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.backends.mha.get_fastpath_enabled() == fast


class Asking(nn.Module):
    """Asks for a value on its way, which a copy without values cannot answer."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.calls = 0

    def forward(self, pixels: Tensor) -> object:
        self.calls += 1
        assert pixels.sum().item() == 0
        return self.inner(pixels)


class Locked(Asking):
    """Cannot be copied either."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__(inner)
        self.lock = threading.Lock()


@pytest.mark.parametrize("family", ["vit", "dinov2", "swin", "clip", "siglip", "resnet", "own"])
def test_the_same_with_values_and_without(family: str, tmp_path: Path):
    if family == "own":
        model: nn.Module = build_student("tests.models.student_factories:attentive", classes=5)
        given = InputSpec(height=16, width=16)
    else:
        model = load_teacher(str(tiny_models.encoder(tmp_path, family)))
        given = InputSpec(height=32, width=32)
    asking = Asking(model)
    assert count_macs(asking, given) == count_macs(model, given) > 0
    assert asking.calls == 0


def test_the_network_in_use_is_not_run_nor_copied():
    student = build_student("vit:patch=8,width=16,layers=2,heads=2", classes=5)
    places: set[torch.device] = set()
    student.network.register_forward_hook(lambda module, *_: places.update(p.device for p in module.parameters()))
    count_macs(student, student.input)
    assert places == {torch.device("meta")}


def test_what_cannot_be_copied_runs_itself():
    encoder = Encoder().train()
    locked = Locked(encoder)
    assert count_macs(locked, SMALL) == count_macs(encoder, SMALL)
    assert (locked.calls, encoder.training) == (1, True)


@pytest.mark.parametrize(
    ("name", "millions"),
    [("resnet-18", 1814), ("resnet-30", 3201), ("resnet-34", 3664), ("resnet-50", 4089), ("mobilenet-v1", 569)],
)
def test_imagenet_networks(name: str, millions: int):
    student = build_student(name, classes=1000)
    assert (student.input.height, student.input.width) == (224, 224)
    assert round(count_macs(student, student.input) / 1e6) == millions


@pytest.mark.parametrize(
    ("name", "parameters", "macs", "width"),
    [
        ("wrn-40-2", 2_255_156, 327.61, 128),
        ("wrn-40-1", 569_780, 83.29, 64),
        ("resnet32x4", 7_433_860, 1083.04, 256),
        ("resnet8x4", 1_233_540, 177.07, 256),
    ],
)
def test_cifar_networks_have_the_size_of_those_of_crd(name: str, parameters: int, macs: float, width: int):
    student = build_student(name, classes=100)
    assert (student.input.height, student.embedding_dim) == (32, width)
    assert sum(parameter.numel() for parameter in student.parameters()) == parameters
    assert round(count_macs(student, student.input) / 1e6, 2) == macs


def test_a_teacher_costs_what_its_student_does():
    student = build_student("vit:patch=8,width=16,layers=2,heads=2", classes=5)
    expected = count_macs(student, student.input)
    tokens, width = 17, 16
    layer = tokens * width * (4 * width + 8 * width) + 2 * tokens * tokens * width
    assert expected == 16 * 3 * 8 * 8 * width + 2 * layer + 5 * width
    assert count_macs(from_student(student, name="t"), student.input) == expected


def trained_alike(student: Student) -> bool:
    """Whether a norm keeps a running mean over many batches."""
    return {m.momentum for m in student.modules() if isinstance(m, nn.BatchNorm2d)} == {0.1}


def test_mobilenet_can_be_trained_from_scratch():
    student = build_student("mobilenet-v1", classes=4, image_size=32)
    assert trained_alike(student)
    assert student.network.config.classifier_dropout_prob == 0.0

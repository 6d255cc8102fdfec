"""Teachers larger than memory: with a device map they give what the whole teacher gives, bit for bit."""

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from teachonce.errors import CorruptError, InputError, ModelError
from teachonce.models import Teacher, load_teacher
from teachonce.models.hub import own_memory
from teachonce.models.macs import count_macs
from teachonce.models.mapped import FileMaps
from teachonce.models.placed import DeviceMap, is_placed, weights_bytes
from teachonce.models.students import student_digest
from teachonce.options.embed import EmbedOptions
from teachonce.options.opt import options_of
from teachonce.stages.embed import embed
from teachonce.stages.train import train
from teachonce.stages.verify import verify
from tests.drawn import some
from tests.models import tiny_models as tiny
from tests.stages.embedding import digits, options, snapshot

LIMITS = ("0B", "20KB", "100MB")
"""All of a tiny network in its files, a part of it, and nothing."""
STATUS = Path("/proc/self/status")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.classifier(tmp_path_factory.mktemp("t"), "vit", tuple("0123456789"))


def signal(teacher: Teacher) -> list[torch.Tensor]:
    with torch.inference_mode():
        found = teacher(tiny.pixels())
    return list(found.values())


def same(first: Any, second: Any) -> bool:
    return all((a is None and b is None) or torch.equal(a, b) for a, b in zip(first or (), second or (), strict=True))


FAMILIES = [
    *(("classifier", family) for family in ("vit", "deit", "resnet", "siglip")),
    *(("encoder", family) for family in ("dinov2", "swin", "convnext", "clip", "siglip")),
]


@pytest.mark.parametrize(
    ("kind", "family", "dtype"),
    [(*family, "float32") for family in FAMILIES] + [(*family, "bf16") for family in some(FAMILIES, 2, "bf16")],
)
def test_it_is_the_whole_teacher_bit_for_bit(tmp_path: Path, kind: str, family: str, dtype: str):
    """SigLIP's pooling reads the weights of a part that it does not call, CLIP holds some itself and a text tower."""
    folder = str(getattr(tiny, kind)(tmp_path, family))
    whole = load_teacher(folder, dtype=dtype)
    expected, macs = signal(whole), count_macs(whole, whole.info.input)
    left = []
    for limit in LIMITS:
        placed = load_teacher(folder, dtype=dtype, device_map=f"auto,cpu={limit}")
        left.append(sum(weight.is_meta for weight in placed.parameters()))
        assert placed.info == whole.info  # with the digest of all weights
        for _ in range(2):
            assert same(signal(placed), expected)
        assert same(placed.head(), whole.head())
        assert count_macs(placed, placed.info.input) == macs
        assert sum(weight.is_meta for weight in placed.parameters()) == left[-1]
        assert placed.to("cpu").float() is placed
    assert left[0] > left[-1] == 0
    assert {weight.requires_grad for weight in placed.parameters()} == {False}


def test_nothing_of_a_copy_reads_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Operations are counted on a copy: a whole one would not fit."""
    placed = load_teacher(str(tiny.classifier(tmp_path, "vit")), device_map="auto,cpu=0B")
    read: list[str] = []
    reader = type(placed.student.network.vit.layernorm._hf_hook.weights_map.dataset)
    monkeypatch.setattr(reader, "__getitem__", lambda _self, key: read.append(key))
    assert count_macs(placed, placed.info.input) > 0
    assert read == []


class TestMaps:
    @pytest.mark.parametrize(
        ("text", "limits"),
        [
            ("auto", {}),
            ("auto,cpu=4GB", {"cpu": 4 * 10**9}),
            ("auto, 0=1.5GiB, cpu=512MB", {"0": 3 << 29, "cpu": 512 * 10**6}),
            ("auto,1=0B", {"1": 0}),
        ],
    )
    def test_limits(self, text: str, limits: dict[str, int]):
        assert DeviceMap.parse(text).limits == limits

    @pytest.mark.parametrize("text", ["", "cpu", "balanced", "auto,cpu", "auto,cpu=4", "auto,cpu=-4GB", "auto,gpu=4GB"])
    def test_others_are_refused_before_anything_is_read(self, tmp_path: Path, text: str):
        for run in (
            lambda: embed(teacher="nowhere", data=digits(70), teacher_device_map=text, **options(tmp_path / "s.zarr")),
            lambda: train(
                data="nowhere", student="cnn-2", method="kd", source="live", teacher="nowhere",
                out=tmp_path / "r", teacher_device_map=text,
            ),
        ):  # fmt: skip
            with pytest.raises(InputError, match="device map"):
                run()
        assert list(tmp_path.iterdir()) == []

    def test_of_a_cpu(self):
        room = DeviceMap(limits={}).memory(torch.device("cpu"), 1000)
        assert room == {"cpu": 800}
        assert DeviceMap(limits={"cpu": 5}).memory(torch.device("cpu"), 1000) == {"cpu": 5}

    def test_networks_of_ours_cannot_be_placed(self, tmp_path: Path):
        with pytest.raises(ModelError, match="device map"):
            load_teacher("cnn-2", device_map="auto")

    def test_without_accelerate_it_says_what_to_install(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setitem(sys.modules, "accelerate", None)
        with pytest.raises(ModelError) as caught:
            load_teacher(str(folder), device_map="auto")
        assert "teachonce[offload]" in caught.value.mend

    @pytest.mark.parametrize("seed", range(6))
    def test_a_weight_of_another_shape_is_named_wherever_it_is(self, tmp_path: Path, seed: int):
        generator = np.random.default_rng(seed)
        kind, family = [("encoder", "vit"), ("classifier", "resnet"), ("encoder", "clip")][seed % 3]
        folder = getattr(tiny, kind)(tmp_path / "t", family)
        weights = safetensors.torch.load_file(folder / "model.safetensors")
        wide = sorted(name for name in weights if weights[name].ndim > 1 and not name.startswith("text"))
        name = wide[generator.integers(len(wide))]
        shape = tuple(weights[name].shape)
        weights[name] = weights[name].repeat(2, *[1] * (len(shape) - 1))
        safetensors.torch.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        for device_map in (None, "auto", "auto,cpu=0B"):
            with pytest.raises(ModelError, match="shape") as caught:
                load_teacher(str(folder), device_map=device_map)
            assert "embedding" not in caught.value.mend
        assert f"{(2 * shape[0], *shape[1:])}, expected {shape}" in caught.value.message

    def test_a_loaded_teacher_is_where_it_is(self, tmp_path: Path):
        with pytest.raises(InputError):
            embed(
                teacher=load_teacher("cnn-2"),
                data=digits(70),
                teacher_device_map="auto",
                **options(tmp_path / "s.zarr"),
            )


class TestMemory:
    def test_weights_that_do_not_fit_are_refused_with_what_would(self, tmp_path: Path):
        folder = str(tiny.classifier(tmp_path, "vit"))
        count = sum(weight.numel() for weight in load_teacher(folder).parameters())
        needed = weights_bytes(count, "float32")
        load_teacher(folder, memory=needed)
        for memory, dtype, told in (
            (needed - 1, "float32", "--teacher-dtype bf16"),
            (needed // 2 - 1, "float32", "--teacher-device-map auto"),
            (needed // 2 - 1, "bf16", "--teacher-device-map auto"),
        ):
            with pytest.raises(ModelError) as caught:
                load_teacher(folder, memory=memory, dtype=dtype)
            assert told in caught.value.mend
            assert ("bf16" in caught.value.mend) == (memory == needed - 1)
        load_teacher(folder, memory=needed // 2, dtype="bf16")
        assert is_placed(load_teacher(folder, memory=needed - 1, device_map="auto"))

    def test_weights_lie_in_memory_of_their_own(self, tmp_path: Path):
        for dtype in ("float32", "bf16"):
            teacher = load_teacher(str(tiny.classifier(tmp_path, "vit")), dtype=dtype)
            maps = FileMaps()
            assert not any(maps.holds(weight) for weight in teacher.parameters())

    @pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells what of a process lies in files")
    def test_file_and_copies_are_not_in_memory_at_once(self, tmp_path: Path):
        file, size = tmp_path / "model.safetensors", 48 << 20
        parts = {f"{index}": torch.full((size // 48,), float(index)) for index in range(12)}
        safetensors.torch.save_file(parts, file)

        def in_files() -> int:
            return int(re.search(r"RssFile:\s+(\d+)", STATUS.read_text())[1]) * 1024

        network, before = nn.Module(), in_files()
        with safetensors.safe_open(file, "pt") as opened:
            for name in opened.keys():  # noqa: SIM118 - it is no dict
                network.register_parameter(name, nn.Parameter(opened.get_tensor(name)))
        own_memory(network)
        assert in_files() - before < size // 3
        assert all(torch.equal(weight, parts[name]) for name, weight in network.named_parameters())

    def test_tied_weights_and_views_are_copied_whole(self, tmp_path: Path):
        """What is given back is read again from the file by whoever else looks at it."""
        values = torch.randn(1 << 20, generator=torch.Generator().manual_seed(0))
        safetensors.torch.save_file({"a": values}, tmp_path / "a.safetensors")
        mapped = safetensors.torch.load_file(tmp_path / "a.safetensors")["a"]
        network = nn.Module()
        network.register_parameter("a", nn.Parameter(mapped))
        network.register_parameter("b", nn.Parameter(mapped[5 : 1 << 19]))
        own_memory(network)
        assert torch.equal(network.a, values)
        assert torch.equal(network.b, values[5 : 1 << 19])
        assert torch.equal(mapped, values)


class TestStages:
    def test_a_store_is_byte_for_byte_the_same(self, folder: Path, tmp_path: Path):
        assert options_of(EmbedOptions)["teacher_device_map"].opt.tells == "nothing"
        given = {"teacher": str(folder), "data": digits(130), "teacher_dtype": "bf16"}
        embed(**given, **options(tmp_path / "whole.zarr"))
        for number, limit in enumerate(("auto,cpu=0B", "auto,cpu=9KB")):
            store = tmp_path / f"{number}.zarr"
            embed(**given, teacher_device_map=limit, blocks="0:1", **options(store))
            embed(**given, **options(store))  # goes on without a map
            assert snapshot(store) == snapshot(tmp_path / "whole.zarr")
        found = verify(
            store=store, data=digits(130), teacher=str(folder), teacher_device_map="auto,cpu=0B", sample=48,
            device="cpu", workers=0,
        )  # fmt: skip
        assert found.ok
        assert found.teacher is not None
        assert found.teacher.rows == 48

    def test_a_live_training_is_the_same(self, folder: Path, tmp_path: Path):
        given = {"student": "cnn-2", "method": "kd", "source": "live", "teacher": str(folder), "epochs": 1}
        given |= {"batch_size": 32, "device": "cpu", "workers": 0, "data": digits(130)}
        train(**given, out=tmp_path / "whole")
        train(**given, out=tmp_path / "placed", teacher_device_map="auto,cpu=0B")
        assert student_digest(tmp_path / "whole") == student_digest(tmp_path / "placed")
        assert train(**given, out=tmp_path / "placed").reused

    def test_weights_that_change_meanwhile_are_an_error(self, folder: Path, tmp_path: Path):
        mine = Path(shutil.copytree(folder, tmp_path / "mine"))
        placed = load_teacher(str(mine), device_map="auto,cpu=0B")
        assert signal(placed)
        weights = {name: value + 1 for name, value in safetensors.torch.load_file(mine / "model.safetensors").items()}
        safetensors.torch.save_file(weights, mine / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(CorruptError):
            signal(placed)
        (mine / "model.safetensors").unlink()
        with pytest.raises(CorruptError):
            embed(teacher=placed, data=digits(70), **options(tmp_path / "s.zarr"))

"""A teacher pass: what lies in the store, what is reused, how it is shared, interrupted and taken up again."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
import xxhash
import zarr
from numpy.typing import NDArray

from teachonce.cache import from_stored, open_store
from teachonce.data.open import open_samples
from teachonce.data.render import render
from teachonce.data.samples import ArraySamples
from teachonce.data.views import eval_views
from teachonce.errors import FailedSamplesError, UnsealedError
from teachonce.models import Signals, Teacher
from teachonce.stages.embed import EmbedResult, embed
from tests.cli import made
from tests.stages.embedding import BLOCK, Heard, Wrapped, digits, interrupted, live, options, snapshot, teacher

DATA = digits(200)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for the disk: no machine goes down here."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


BATCH = 48


def pixels(model: Teacher) -> torch.Tensor:
    """The evaluation view of DATA."""
    sizes = np.full((DATA.rows, 2), 8)
    images = torch.from_numpy(np.stack([DATA.decode(row) for row in range(DATA.rows)]))
    return render(images, eval_views(sizes, model.info.view)[:, 0], model.info.input)


def stored(path: Path, array: str, view: int = 0) -> NDArray[np.float32]:
    reader = open_store(path).target("teacher")
    return from_stored(reader.all(array, view), reader.spec.arrays[array].dtype)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_the_store_holds_what_the_teacher_says(tmp_path: Path, dtype: str):
    model = teacher()
    result = embed(teacher=model, data=DATA, **options(tmp_path / "s.zarr", dtype=dtype))
    blocks = [
        part for start in range(0, DATA.rows, BLOCK) for part in pixels(model)[start : start + BLOCK].split(BATCH)
    ]
    signals = [live(model, part, BATCH) for part in blocks]
    embedding = torch.cat([signal["image_embedding"] for signal in signals])
    expected = embedding.to(getattr(torch, dtype)).float().numpy()
    unit = torch.finfo(getattr(torch, dtype)).eps  # of the stored dtype; one more of float32, whose sums may differ
    near = {"rtol": 2 * unit, "atol": 1e-6}
    np.testing.assert_allclose(stored(tmp_path / "s.zarr", "image_embedding"), expected, **near)
    logits = torch.cat([signal["logits"] for signal in signals if "logits" in signal])
    rounded = logits.to(getattr(torch, dtype)).float().numpy()
    np.testing.assert_allclose(stored(tmp_path / "s.zarr", "logits"), rounded, **near)
    right = (logits.to(getattr(torch, dtype)).argmax(1).numpy() == DATA.labels).mean()
    assert result.teacher_top1 == pytest.approx(right)
    assert (result.rows, result.failed, result.reused_blocks, result.sealed) == (200, 0, 0, True)


def test_autocast_is_recorded(tmp_path: Path):
    embed(teacher=teacher(), data=DATA, **options(tmp_path / "s.zarr", precision="bf16", dtype="bfloat16"))
    embed(teacher=teacher(), data=DATA, **options(tmp_path / "full.zarr", dtype="float32"))
    assert open_store(tmp_path / "s.zarr").targets()["teacher"].settings["compute_dtype"] == "bfloat16"
    full = stored(tmp_path / "full.zarr", "logits")
    assert np.abs(stored(tmp_path / "s.zarr", "logits") - full).max() < 0.05 * np.abs(full).max()


def test_a_sealed_target_of_another_precision_is_kept_with_a_word(tmp_path: Path):
    embed(teacher=teacher(), data=DATA, **options(tmp_path / "s.zarr", precision="bf16"))
    heard = Heard()
    embed(teacher=teacher(), data=DATA, events=heard, **options(tmp_path / "s.zarr", precision="float32"))
    assert "was computed in bfloat16" in heard.warnings[0]


def test_samples_views_head_and_class_means(tmp_path: Path):
    model, path = teacher(), tmp_path / "s.zarr"
    embed(teacher=model, data=DATA, **options(path, dtype="float32", per_class=5))
    store = open_store(path)
    header = b"|u1 8,8,3\n"  # docs/format.md, section 9
    expected_digests = [xxhash.xxh3_64_intdigest(header + DATA.decode(row).tobytes()) for row in range(DATA.rows)]
    assert store.digests().tolist() == expected_digests
    np.testing.assert_array_equal(store.labels(), DATA.labels)
    assert (store.sample_status() == 1).all()
    np.testing.assert_array_equal(store.view_params()[:, 0], np.tile([0, 0, 1, 1, 0, 0], (200, 1)))
    head, expected = store.head("teacher"), model.head()
    assert head is not None
    assert expected is not None
    np.testing.assert_array_equal(head[0], expected[0].numpy())
    mean, count = store.class_means("teacher")
    assert (count == 5).all()
    threes = np.flatnonzero(DATA.labels == 3)[:5]
    np.testing.assert_allclose(mean[3], stored(path, "image_embedding")[threes].mean(0, dtype=np.float64), rtol=1e-6)
    target = store.targets()["teacher"]
    assert target.kind == "classifier"
    assert target.settings == {"batch_size": BATCH, "compute_dtype": "float32"}
    assert target.attributes["teacher"] == "cnn-2"
    assert target.attributes["macs"] == 9 * 16**2 * 3 * 32 + 9 * 8**2 * 32**2 + 4**2 * 32 * 256 + 256 * 10
    store.target("teacher").verify()


def test_plain_zarr_reads_it(tmp_path: Path):
    embed(teacher=teacher(), data=DATA, **options(tmp_path / "s.zarr"))
    group = zarr.open_group(tmp_path / "s.zarr", mode="r")
    assert group["targets/teacher/logits"].shape == (200, 1, 10)
    assert np.isfinite(group["targets/teacher/image_embedding"][:]).all()
    assert group["samples/label"][:].tolist() == DATA.labels.tolist()


def test_a_batch_never_crosses_a_block(tmp_path: Path):
    sizes: list[int] = []

    def listen(pixels: torch.Tensor, signal: Signals) -> Signals:
        sizes.append(len(pixels))
        return signal

    embed(teacher=Wrapped(teacher(), listen), data=DATA, **options(tmp_path / "s.zarr"))
    assert sizes == [48, 16, 48, 16, 48, 16, 8]


def test_a_sealed_target_is_reused_and_nothing_runs(tmp_path: Path):
    path = tmp_path / "s.zarr"
    first = embed(teacher=teacher(), data=DATA, **options(path))
    before = snapshot(tmp_path)

    def refuse(pixels: torch.Tensor, signal: Signals) -> Signals:
        raise AssertionError("the teacher runs")

    again = embed(teacher=Wrapped(teacher(), refuse), data=DATA, **options(path, batch_size=7))
    assert again.reused_blocks == 4
    assert again.teacher_top1 == first.teacher_top1
    assert again.samples_per_s == 0
    assert snapshot(tmp_path) == before


def test_other_class_means_of_a_sealed_target_need_no_teacher(tmp_path: Path):
    path = tmp_path / "s.zarr"
    embed(teacher=teacher(), data=DATA, **options(path))
    again = embed(teacher=teacher(), data=DATA, **options(path, per_class=3))
    assert again.reused_blocks == 4
    assert (open_store(path).class_means("teacher")[1] == 3).all()
    embed(teacher=teacher(), data=DATA, **options(tmp_path / "other.zarr", per_class=3))
    assert snapshot(path) == snapshot(tmp_path / "other.zarr")


def test_ctrl_c_then_the_same_call(tmp_path: Path):
    path = tmp_path / "s.zarr"
    with pytest.raises(KeyboardInterrupt):
        embed(teacher=teacher(), data=DATA, events=Heard(150, interrupted), **options(path, batch_size=8))
    with pytest.raises(UnsealedError):
        open_store(path).target("teacher")
    heard = Heard()
    result = embed(teacher=teacher(), data=DATA, events=heard, **options(path, batch_size=None))
    assert result.reused_blocks in (1, 2)
    assert heard.totals[-1] == (200, 64 * result.reused_blocks)
    assert heard.done == 200
    embed(teacher=teacher(), data=DATA, **options(tmp_path / "other.zarr", batch_size=8))
    assert snapshot(path) == snapshot(tmp_path / "other.zarr")


def test_ctrl_c_before_the_first_block_leaves_nothing(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        embed(teacher=teacher(), data=DATA, events=Heard(8, interrupted), **options(tmp_path / "s.zarr", batch_size=8))
    assert snapshot(tmp_path) == {}


@pytest.mark.parametrize("ranges", [["0:2", "2:4"], ["2:", ":2"], ["3", "0-1", None]])
def test_several_calls_fill_one_store(tmp_path: Path, ranges: list[str | None]):
    path = tmp_path / "s.zarr"
    results = [embed(teacher=teacher(), data=DATA, **options(path, blocks=blocks)) for blocks in ranges]
    assert [result.sealed for result in results] == [False] * (len(ranges) - 1) + [True]
    assert results[0].teacher_top1 is None
    assert sum(result.rows for result in results[:2]) in (200, 136)
    embed(teacher=teacher(), data=DATA, **options(tmp_path / "other.zarr"))
    assert snapshot(path) == snapshot(tmp_path / "other.zarr")


def test_views_are_drawn_rendered_and_run(tmp_path: Path):
    model, path = teacher(), tmp_path / "s.zarr"
    drawn = options(path, dtype="float32", views=3, augment="crop=0.35,flip", seed=5)
    heard = Heard()
    embed(teacher=model, data=DATA, events=heard, **drawn)
    assert heard.totals[-1] == (600, 0)
    assert heard.done == 600
    store = open_store(path)
    images = torch.from_numpy(np.stack([DATA.decode(row) for row in range(DATA.rows)]))
    for view in range(3):
        drawn_pixels = render(images, store.view_params()[:, view], model.info.input)
        expected = live(model, drawn_pixels, 64)["image_embedding"].numpy()
        np.testing.assert_allclose(stored(path, "image_embedding", view), expected, rtol=1e-4, atol=1e-6)
    assert not np.array_equal(stored(path, "image_embedding", 0), stored(path, "image_embedding", 1))


def test_a_second_target_takes_the_views_that_are_there(tmp_path: Path):
    path = tmp_path / "s.zarr"
    embed(teacher=teacher(), data=DATA, **options(path, views=2, augment="flip"))
    before = snapshot(path / "samples") | snapshot(path / "views") | snapshot(path / "targets" / "teacher")
    second = embed(teacher=teacher(seed=1), data=DATA, **options(path, name="second", block_rows=None))
    assert second.reused_blocks == 0
    assert open_store(path).target("second").spec.views == 2
    assert snapshot(path / "samples") | snapshot(path / "views") | snapshot(path / "targets" / "teacher") == before
    open_store(path).target("second").verify()


def test_a_block_is_not_padded_beyond_twice_the_data(tmp_path: Path):
    path = tmp_path / "s.zarr"
    embed(teacher=teacher(), data=DATA, **options(path, block_rows=None))
    spec = open_store(path).spec
    assert spec.rows <= spec.block_rows < 2 * spec.rows


def test_a_second_target_over_samples_that_are_half_there(tmp_path: Path):
    path = tmp_path / "s.zarr"
    embed(teacher=teacher(), data=DATA, **options(path, blocks="1:3"))
    embed(teacher=teacher(seed=1), data=DATA, **options(path, name="second"))
    store = open_store(path)
    assert store.samples_sealed
    assert {name: target.sealed for name, target in store.targets().items()} == {"teacher": False, "second": True}


@pytest.fixture
def broken(tmp_path: Path) -> str:
    """Twelve images in a folder, two of them cut short."""
    return made.folder_of_images(tmp_path / "images", truncated=(4, 9))


def test_a_path_is_data_too(tmp_path: Path):
    folder = Path(made.folder_of_images(tmp_path / "images").removeprefix("folder:"))
    result = embed(teacher=teacher(), data=folder, **options(tmp_path / "s.zarr"))
    assert result.rows == 12


def test_an_unsealed_target_says_how_many_failed_samples_hold_it_up(tmp_path: Path, broken: str):
    with pytest.raises(FailedSamplesError):
        embed(teacher=teacher(), data=broken, **options(tmp_path / "s.zarr"))
    with pytest.raises(UnsealedError, match=r"2 samples failed.*--max-failed 2"):
        open_store(tmp_path / "s.zarr").target("teacher")


def test_too_many_failed_samples_then_a_larger_limit(tmp_path: Path, broken: str):
    path = tmp_path / "s.zarr"
    common = options(path, block_rows=4)
    with pytest.raises(FailedSamplesError) as refused:
        embed(teacher=teacher(classes=3), data=broken, **common)
    assert "--max-failed" in refused.value.mend
    heard = Heard()
    result = embed(teacher=teacher(classes=3), data=broken, max_failed=2, events=heard, **common)
    assert (result.failed, result.reused_blocks) == (2, 3)
    assert heard.totals == []
    store, samples = open_store(path), open_samples(broken)
    bad = np.flatnonzero(store.sample_status() == 2)
    assert len(bad) == 2
    assert np.isnan(stored(path, "logits")[bad]).all()
    assert np.isfinite(np.delete(stored(path, "logits"), bad, axis=0)).all()
    assert store.digests().tolist() == [samples.digest(row) for row in range(12)]
    assert np.isnan(store.view_params()[bad]).all()


def test_images_of_many_sizes(tmp_path: Path):
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (8 + row % 5, 20 - row % 3, 3)).astype(np.uint8) for row in range(30)]
    from teachonce.data.samples import ArraySamples

    data, model = ArraySamples(images), teacher()
    result = embed(teacher=model, data=data, **options(tmp_path / "s.zarr", block_rows=16, dtype="float32"))
    assert result.teacher_top1 is None
    each = [torch.from_numpy(image)[None] for image in images]
    params = eval_views(np.array([[8, 20]]), model.info.view)[:, 0]
    drawn = torch.cat([render(image, params, model.info.input) for image in each])
    expected = live(model, drawn, 16)["image_embedding"].numpy()
    np.testing.assert_allclose(stored(tmp_path / "s.zarr", "image_embedding"), expected, rtol=1e-4, atol=1e-6)
    assert not (tmp_path / "s.zarr" / "classes" / "teacher").exists()


def test_specs_in_place_of_objects(tmp_path: Path):
    path = tmp_path / "s.zarr"
    result = embed(teacher="cnn-2", data="digits", split="test", limit=100, image_size=16, store=path, device="cpu")
    assert isinstance(result, EmbedResult)
    assert result.rows == 100
    assert open_store(path).targets()["teacher"].settings["batch_size"] == 128  # the block of 100 rows


def test_warnings_about_classes(tmp_path: Path):
    heard = Heard()
    guess = embed(teacher=teacher(), data=DATA, events=heard, **options(tmp_path / "a.zarr"))
    assert guess.teacher_top1 is not None
    assert "near chance" in heard.warnings[-1]
    other = embed(teacher=teacher(classes=7), data=DATA, events=heard, **options(tmp_path / "b.zarr"))
    assert other.teacher_top1 is None
    assert "7 classes" in heard.warnings[-1]
    names = tuple("1023456789")
    embed(teacher=teacher(names=names), data=DATA, events=heard, **options(tmp_path / "c.zarr"))
    assert any("another order" in warning for warning in heard.warnings)


def test_a_folder_whose_names_are_no_text_is_embedded(tmp_path: Path):
    folder = os.fsencode(tmp_path) + b"/o\xe9d"
    for name in (b"a", b"caf\xe9"):
        place = folder + b"/" + name
        os.makedirs(place)  # noqa: PTH103 - a Path cannot say it either
        made.pictures(1)[0].save(os.fsdecode(place + b"/\xff.png"))
    options = {"teacher": teacher(classes=2), "store": tmp_path / "s.zarr", "device": "cpu", "workers": 0}
    assert embed(data=f"folder:{os.fsdecode(folder)}", **options).rows == 2
    store = open_store(tmp_path / "s.zarr")
    assert store.spec.data["class_names"] == ["a", "caf\\xe9"]
    assert store.spec.data["description"]["source"] == "folder:o\\xe9d"


@pytest.mark.parametrize("named", [True, False])
def test_numbers_in_the_order_of_texts_for_outputs_without_names(tmp_path: Path, named: bool):
    names = tuple(sorted(str(number) for number in range(1, 11)))  # "10" before "2"
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), np.uint8)
    heard = Heard()
    data = ArraySamples(images, np.arange(20) % 10, names)
    embed(teacher=teacher(names=names if named else None), data=data, events=heard, **options(tmp_path / "s.zarr"))
    assert any("output 1 is taken for class '10'" in text for text in heard.warnings) != named

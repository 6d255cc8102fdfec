"""What `estimate` tells against what `embed` then does: bytes to the last one, time by teachers of known slowness."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import teachonce
from teachonce.benchmarks.estimate import disk
from teachonce.benchmarks.estimate.cost import Costing
from teachonce.benchmarks.estimate.passes import Enough, Pace, PassProbe
from teachonce.benchmarks.estimate.records import Cost, Estimate
from teachonce.benchmarks.estimate.result import sentence
from teachonce.benchmarks.estimate.steps import StudentPlan, student_cost
from teachonce.data.decode import DecodeError
from teachonce.data.samples import ArraySamples
from teachonce.engine.stage_one.contents import teacher_attributes
from teachonce.errors import DataError, InputError, MismatchError, ModelError
from teachonce.models import Signals, load_teacher
from teachonce.options.embed import EmbedOptions
from teachonce.stages.embed import embed, open_job
from tests.stages.embedding import BLOCK, Heard, Wrapped, digits, snapshot, teacher

PLAN = StudentPlan(student="cnn-2", epochs=10, batch_size=100)


def told(store: Path, **options: Any) -> Estimate:
    common = {"teacher": teacher(), "data": digits(), "store": store, "device": "cpu", "workers": 0, "seconds": 0.02}
    return teachonce.estimate(**(common | options))


def size(store: Path) -> int:
    return sum(len(data) for data in snapshot(store).values())


def pause(seconds: float) -> None:
    threading.Event().wait(seconds)


def slow(seconds: float) -> Wrapped:
    """A teacher that takes at least so long for a batch."""

    def change(pixels: Tensor, signal: Signals) -> Signals:
        pause(seconds)
        return signal

    return Wrapped(teacher(), change)


def advance(pace: Pace, amount: int) -> None:
    while True:
        pace.advance(amount)


class Slow(ArraySamples):
    """Images that take some milliseconds to decode."""

    def decode(self, row: int) -> np.ndarray:
        pause(0.005)
        return super().decode(row)


class Broken(ArraySamples):
    def decode(self, row: int) -> np.ndarray:
        raise DecodeError("truncated")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"block_rows": BLOCK, "dtype": "float32"},  # 29 blocks: their numbers have one digit, or two
        {"views": 3, "augment": "crop=0.4,flip", "dtype": "bfloat16", "block_rows": 128},
        {"per_class": None, "name": "another-name"},
        {"teacher": teacher(names=tuple("abcdefghij")), "data": digits(65)},
        {"data": ArraySamples(digits(100).images)},  # without labels there are no class means
    ],
    ids=["defaults", "blocks", "views", "name", "few", "no labels"],
)
def test_the_bytes_are_those_of_the_real_store(tmp_path: Path, options: dict[str, Any]):
    store = tmp_path / "deep" / "s.zarr"
    found = told(store, **options)
    assert list(tmp_path.iterdir()) == []
    embed(**({"teacher": teacher(), "data": digits(), "store": store, "device": "cpu", "workers": 0} | options))
    assert found.store_bytes == size(store)
    assert found.bytes_per_sample == size(store) / found.rows


def test_the_table_holds_the_bytes_of_other_views_and_dtypes(tmp_path: Path):
    table = {(cost.views, cost.dtype): cost.store_bytes for cost in told(tmp_path / "s.zarr", data=digits(100)).table}
    assert len(table) == 12
    for views, dtype in ((1, "bfloat16"), (4, "float32")):
        store = tmp_path / f"{views}.zarr"
        augment = "crop=0.35,flip" if views > 1 else None
        embed(teacher=teacher(), data=digits(100), store=store, views=views, augment=augment, dtype=dtype, workers=0)
        assert table[views, dtype] == size(store)


def test_of_many_views_a_few_are_run(tmp_path: Path):
    batches = []

    def heard(pixels: Tensor, signal: Signals) -> Signals:
        batches.append(len(pixels))
        return signal

    made: dict[str, Any] = {"data": digits(8), "views": 200, "augment": "crop=0.4,flip"}
    found = told(tmp_path / "s.zarr", teacher=Wrapped(teacher(), heard), seconds=0.001, **made)
    assert len(batches) < 200  # of 8 views; one batch in all its views would be as many
    embed(teacher=teacher(), store=tmp_path / "s.zarr", device="cpu", workers=0, **made)
    assert (found.views, found.store_bytes) == (200, size(tmp_path / "s.zarr"))


def test_a_store_that_is_there_is_gone_on_with(tmp_path: Path):
    store = tmp_path / "s.zarr"
    made = {"data": digits(300), "store": store, "block_rows": BLOCK, "workers": 0, "device": "cpu", "batch_size": 32}
    embed(teacher=teacher(), blocks="0:2", **made)
    before = snapshot(tmp_path)
    found = told(store, data=digits(300))
    assert snapshot(tmp_path) == before
    assert (found.rows_left, found.block_rows, found.batch_size) == (300 - 2 * BLOCK, BLOCK, 32)
    embed(teacher=teacher(), **made)
    again = told(store, data=digits(300))
    assert found.store_bytes == again.store_bytes == size(store)
    assert (again.rows_left, again.seconds, again.samples_per_s) == (0, 0, 0)
    assert "nothing is left" in again.verdict
    with pytest.raises(MismatchError):
        told(store, data=digits(299))


def test_a_slow_teacher_sets_the_pace(tmp_path: Path):
    found = told(tmp_path / "s.zarr", teacher=slow(0.15), teacher_batch=256, block_rows=1024, seconds=0.2)
    assert found.limit == "teacher"
    assert found.verdict.endswith("the teacher is the slowest part.")
    least = 8 * 0.15  # what the pauses alone take; another process may take time, too
    assert least * 0.9 <= found.seconds < 4 * least
    assert found.samples_per_s == pytest.approx(1797 / found.seconds)
    views = {cost.views: cost.seconds for cost in found.table if cost.dtype == "float16"}
    assert views[4] - views[1] >= 3 * least * 0.9


def test_slow_decoding_sets_the_pace_and_more_views_are_free(tmp_path: Path):
    some = digits(96)
    found = told(tmp_path / "s.zarr", data=Slow(some.images, some.labels), teacher_batch=32, seconds=0.2)
    assert found.limit == "decode"
    assert found.seconds >= 96 * 0.005 * 0.9
    costs = {cost.views: cost for cost in found.table if cost.dtype == "float16"}
    assert costs[2].limit == "decode"
    assert costs[2].seconds < 1.5 * costs[1].seconds


def test_the_pace_leaves_the_first_batches_out():
    times = iter([0.0, 5.0, 6.0, 7.0, 8.0, 9.0])
    pace = Pace(3.0, clock=lambda: next(times))
    with pytest.raises(Enough):
        advance(pace, 10)
    assert pace.result() == (4.0, 0.1, 30)  # 1 s a batch; the first took 4 s more


def test_the_pace_waits_until_the_decoder_has_filled_its_queue():
    times = iter([0.0, *np.arange(1, 100) / 10])
    pace = Pace(4.0, clock=lambda: float(next(times)))
    with pytest.raises(Enough):
        advance(pace, 1)
    start, each, views = pace.result()
    assert (round(start, 6), round(each, 6), views) == (0.0, 0.1, 40)


def test_other_views_take_the_slower_half_and_what_the_halves_cost_each_other():
    found = PassProbe(batch_size=8, views=1, start_s=0, row_s=0.5, teacher_s=0.2, decode_s=0.3, rows=8)
    assert found.row_seconds(1) == pytest.approx(0.5)
    assert found.row_seconds(2) == pytest.approx(0.4 + 0.2)
    assert found.row_seconds(4) == pytest.approx(0.8 + 0.2)
    four = replace(found, views=4)
    assert four.row_seconds(1) == pytest.approx(0.5 * 0.3 / 0.8)  # alone, four views took longer than with company
    assert four.row_seconds(4) == 0.5


def costing(tmp_path: Path, rows: int, file_s: float) -> Costing:
    """A pass of 1 ms a row, and a disk of a known pace."""
    options = EmbedOptions(
        teacher=teacher(),
        data=digits(rows),
        store=tmp_path / "s.zarr",
        views=1,
        batch_size=8,
        block_rows=BLOCK,
        device="cpu",
    )
    job = open_job(options)
    found = PassProbe(batch_size=8, views=1, start_s=5.0, row_s=0.001, teacher_s=0.001, decode_s=0.0005, rows=8)
    pace = disk.DiskProbe(begin_s=7.0, file_s=file_s, byte_s=0.0, seal_s=0.1, bytes=0)
    settings = {"batch_size": 8, "compute_dtype": "float32"}
    return Costing(job=job, settings=settings, info=teacher_attributes(job.teacher), found=found, disk=pace)


FILES = 4 + 3 + 2  # of a block: samples and views, the target's arrays, two records


@pytest.mark.parametrize(
    ("rows", "file_s", "seconds"),
    [
        (60, 0.01, 5 + 0.060 + 7 + 0.01 * FILES + 0.1),  # one block: nothing is beside the teacher
        (1280, 0.0, 5 + max(1.28, 7) + 20 * 0.1),  # the store is made while the teacher works
        (1280, 0.1, 5 + 7 + 19 * 0.1 * FILES + 0.1 * FILES + 20 * 0.1),  # the disk is slower
    ],
)
def test_what_works_side_by_side_takes_the_longer_of_the_two(tmp_path: Path, rows: int, file_s: float, seconds: float):
    found = costing(tmp_path, rows, file_s)
    cost = found.of(found.job, rows)
    assert cost.seconds == pytest.approx(seconds)
    assert cost.limit == ("disk" if file_s == 0.1 or rows == 60 else "teacher")
    assert found.of(found.job, 0).seconds == 0


def test_the_disk_is_what_limits_where_it_is_slower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    commit = disk._commit

    def crawling(*some: Any) -> float:
        return commit(*some) + 2.0

    monkeypatch.setattr(disk, "_commit", crawling)
    found = told(tmp_path / "s.zarr", block_rows=BLOCK)
    assert found.limit == "disk"
    assert found.seconds >= 29 * 2.0 * 0.9


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_nothing_is_left_behind_where_it_ends_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
):
    def ended(*some: Any) -> float:
        assert any(tmp_path.rglob("zarr.json"))
        raise error

    monkeypatch.setattr(disk, "_commit", ended)
    with pytest.raises(error):
        told(tmp_path / "s.zarr", data=digits(100))
    assert list(tmp_path.iterdir()) == []


def test_the_probe_of_the_disk_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(disk, "_MOST_BYTES", 40_000)
    written: list[int] = []
    probed = disk.probe_disk

    def kept(*some: Any) -> disk.DiskProbe:
        found = probed(*some)
        written.append(found.bytes)
        return found

    monkeypatch.setattr("teachonce.benchmarks.estimate.found.probe_disk", kept)
    told(tmp_path / "s.zarr", views=4, augment="flip")
    assert 0 < written[0] <= 60_000  # what is beside the teacher's outputs is not bounded


def test_too_little_room_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("teachonce.benchmarks.estimate.found._free_bytes", lambda path: 1000)
    heard = Heard()
    found = told(tmp_path / "s.zarr", data=digits(100), events=heard)
    assert found.free_bytes == 1000
    assert list(found.warnings) == heard.warnings
    assert "its disk has 1e-06 GB free" in heard.warnings[0]


def test_data_without_an_image_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="no image of the first batches can be decoded"):
        told(tmp_path / "s.zarr", data=Broken(digits(1000).images), seconds=5.0)


def test_a_student_pays_after_stage_one_over_what_an_epoch_saves():
    cost = student_cost(PLAN, rows=10_000, stage_one_s=36.0, step_ms=(10.0, 50.0))
    assert (cost.cached_epoch_s, cost.live_epoch_s) == (0.9, 4.5)
    assert cost.break_even_epochs == pytest.approx(10.0)
    assert cost.break_even_students == pytest.approx(1.0)
    stage = Cost(views=1, dtype="float16", store_bytes=10, seconds=36.0, limit="teacher")
    assert sentence(stage, cost).startswith("The cache pays after 10 epochs: 10 epochs of one student take 45 seconds")
    few = student_cost(replace(PLAN, epochs=3), rows=10_000, stage_one_s=36.0, step_ms=(10.0, 50.0))
    assert few.pays == "live"
    assert sentence(stage, few) == (
        "The live teacher is better here: 3 epochs of one student take 14 seconds live and 39 seconds from the cache, "
        "stage one included; break-even is only after 10 epochs."
    )
    never = student_cost(PLAN, rows=10_000, stage_one_s=36.0, step_ms=(50.0, 50.0))
    assert (never.break_even_epochs, never.pays) == (None, "live")
    assert "no break-even" in sentence(stage, never)


def test_a_student_that_is_not_there_is_told_before_the_teacher_runs():
    with pytest.raises(ModelError, match="no student 'cnn2'"):
        replace(PLAN, student="cnn2")


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_a_student_is_measured_against_the_live_teacher(tmp_path: Path):
    common = {"teacher": "cnn-10", "data": "digits", "limit": 64, "student": "cnn-2", "batch_size": 16}
    found = told(tmp_path / "s.zarr", method="clip-embed-kd", epochs=1000, **common)
    student = found.student
    assert student is not None
    assert (student.live_method, student.method) == ("clip-teacher-kd", "clip-embed-kd")
    assert student.live_step_ms > student.cached_step_ms > 0  # a cnn-10 beside a cnn-2
    assert student.pays == "cached"
    assert student.break_even_epochs == pytest.approx(found.seconds / (student.live_epoch_s - student.cached_epoch_s))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("one_thread")
def test_cifd_is_probed_without_rdms_which_is_told(tmp_path: Path):
    heard = Heard()
    common = {"teacher": "cnn-2", "data": "digits", "limit": 64, "student": "cnn-2", "batch_size": 16}
    assert told(tmp_path / "s.zarr", method="cifd", events=heard, **common).student is not None
    assert any(text.startswith("cifd is measured with the teacher's targets only") for text in heard.warnings)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"method": "ce"}, "no teacher to compare with"),
        ({"method": "dgkd"}, "targets of other models"),
        ({"method": "kdd"}, "no method 'kdd'"),
        ({"settings": {"temprature": 1}}, "no setting 'temprature'"),
        ({"epochs": 0}, "epochs: expected at least 1"),
        ({"teacher": teacher()}, "opened again"),
        ({"image_size": 64}, "no image size beside its name"),
        ({"student": None, "batch_size": 64}, "the student's"),
        ({"student": None, "seconds": 0.0}, "seconds: expected above 0"),
        ({"student": None, "views": 2}, "would all be the same"),
        ({"student": None, "dtype": "int8"}, "dtype: expected"),
    ],
)
def test_what_cannot_be_estimated_is_said_at_once(tmp_path: Path, options: dict[str, Any], word: str):
    common = {"teacher": "cnn-2", "data": "digits", "limit": 64, "student": "cnn-2"}
    with pytest.raises(InputError, match=word):
        told(tmp_path / "s.zarr", **(common | options))
    assert list(tmp_path.iterdir()) == []


def test_a_teacher_in_half_precision_is_told_of_as_embed_runs_it(tmp_path: Path):
    given = {"teacher": "cnn-2", "data": digits(70), "image_size": 16, "teacher_dtype": "bf16", "batch_size": None}
    found = told(tmp_path / "s.zarr", **given)
    assert found.compute_dtype == "bfloat16"
    count = sum(weight.numel() for weight in load_teacher("cnn-2", classes=10, image_size=16).parameters())
    assert found.memory.parameters == count
    assert found.memory.weights_bytes == {"float32": 4 * count, "bf16": 2 * count, "fp16": 2 * count}
    assert 2 * count <= found.memory.kept_bytes < 4 * count  # with its buffers
    assert found.memory.batch_bytes >= found.batch_size * 3 * 16 * 16 * 2
    assert found.memory.fits == {"float32": True, "bf16": True, "fp16": True}
    embed(**given | {"store": tmp_path / "s.zarr", "device": "cpu", "workers": 0})
    assert size(tmp_path / "s.zarr") == found.store_bytes


@pytest.mark.parametrize(("free", "fits"), [(1 << 30, "float32 bf16 fp16"), (-1, "bf16 fp16"), (-(1 << 30), "")])
def test_it_says_in_which_dtype_a_teacher_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, fits: str):
    """Free memory is given beside what the teacher in float32 and a batch take."""
    exact = told(tmp_path / "s.zarr", teacher="cnn-2", image_size=16).memory
    needed = exact.weights_bytes["float32"] + exact.batch_bytes - exact.kept_bytes
    monkeypatch.setattr("teachonce.benchmarks.estimate.memory._free_bytes", lambda _: needed + free)
    monkeypatch.setattr("teachonce.benchmarks.estimate.memory.transient_bytes", lambda *_: exact.batch_bytes)
    found = told(tmp_path / "s.zarr", teacher="cnn-2", image_size=16).memory
    assert [dtype for dtype, does in found.fits.items() if does] == fits.split()
    assert found.free_bytes == exact.weights_bytes["float32"] + exact.batch_bytes + free

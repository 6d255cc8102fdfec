"""Images in memory, on the host, or streamed: one interface, the same bytes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from imagekit import encode, photo, write_images

from teachonce.data.memory import available_memory, device_budget, host_budget
from teachonce.data.open import open_samples
from teachonce.data.render import render
from teachonce.data.resident import ImageSource, open_images
from teachonce.data.samples import ArraySamples, Samples
from teachonce.data.views import Augment, draw_views
from teachonce.events import Silent
from teachonce.types import InputSpec

STUDENT = InputSpec(height=16, width=16, filter="bilinear")
TEACHER = InputSpec(height=40, width=24, mean=(0.4, 0.5, 0.6), filter="bicubic")
BRIGHT = InputSpec(height=16, width=16, mean=(0.0, 0.0, 0.0), filter="bilinear")
SPECS = (STUDENT, TEACHER, BRIGHT)
ALIKE = [(20, 20)] * 40
MIXED = [(12 + row % 9, 30 - row % 11) for row in range(40)]


def write(path: Path, sizes: list[tuple[int, int]], broken: tuple[int, ...] = ()) -> Samples:
    files = [encode(photo(*size, row), "JPEG") for row, size in enumerate(sizes)]
    return open_samples(write_images(path / "d.parquet", [b"bad" if r in broken else f for r, f in enumerate(files)]))


@pytest.fixture(params=["alike", "mixed"])
def samples(request: pytest.FixtureRequest, tmp_path: Path) -> Samples:
    return write(tmp_path, ALIKE if request.param == "alike" else MIXED)


def views(samples: Samples, source: ImageSource) -> np.ndarray:
    rows = np.arange(samples.rows)
    return draw_views(source.sizes, augment=Augment(crop=0.3, flip=True), views=1, seed=3, rows=rows)[:, 0]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_streamed_images_are_the_resident_ones_byte_for_byte(samples: Samples, workers: int):
    kept = open_images(samples, device="cpu", workers=workers)
    streamed = open_images(samples, device="cpu", budget_bytes=0, workers=workers)
    assert (kept.resident, kept.placement) == (True, "device")
    assert (streamed.resident, streamed.placement) == (False, "streamed")
    assert (kept.sizes == streamed.sizes).all()
    params = views(samples, kept)
    batches = [np.array(rows) for rows in ([5, 1, 33], [0], [7, 7, 39, 2, 21, 12])]
    expected = list(kept.stream(batches, lambda rows: params[rows], *SPECS))
    got = list(streamed.stream(iter(batches), lambda rows: params[rows], *SPECS))
    assert len(expected) == len(got) == 3
    for rows, (their_rows, theirs), (our_rows, ours) in zip(batches, expected, got, strict=True):
        assert (their_rows == rows).all()
        assert (our_rows == rows).all()
        assert [tuple(part.shape) for part in ours] == [(len(rows), 3, spec.height, spec.width) for spec in SPECS]
        assert all(torch.equal(a, b) for a, b in zip(theirs, ours, strict=True))
    again = streamed.batch(batches[0], params[batches[0]], *SPECS)
    assert all(torch.equal(a, b) for a, b in zip(again, expected[0][1], strict=True))


def test_a_batch_is_what_each_image_gives(samples: Samples):
    source = open_images(samples, device="cpu")
    rows, params = np.array([3, 30, 17]), views(samples, source)
    (got,) = source.batch(rows, params[rows], TEACHER)
    for index, row in enumerate(rows):
        alone = render(torch.from_numpy(samples.decode(row))[None], params[[row]], TEACHER)
        assert torch.equal(got[index], alone[0])


def test_sizes_are_those_of_the_images(tmp_path: Path):
    samples = write(tmp_path, MIXED, broken=(4,))
    for budget in (None, 0):
        source = open_images(samples, device="cpu", budget_bytes=budget)
        assert [tuple(size) for size in source.sizes] == [(0, 0) if r == 4 else s for r, s in enumerate(MIXED)]
    assert open_images(samples, device="cpu", rows=np.array([2, 9])).sizes.any(axis=1).sum() == 2


@pytest.mark.parametrize("sizes", [ALIKE, MIXED])
@pytest.mark.parametrize("budget", [None, 0])
def test_a_failed_row_is_recorded_and_black(tmp_path: Path, sizes: list[tuple[int, int]], budget: int | None):
    samples = write(tmp_path, sizes, broken=(0, 8))
    source = open_images(samples, device="cpu", budget_bytes=budget, workers=1)
    params = np.tile(np.array([0, 0, 1, 1, 0, 0], np.float32), (3, 1))
    (got,) = source.batch(np.array([8, 1, 0]), params, BRIGHT)
    assert not got[0].any()
    assert got[1].any()
    assert not got[2].any()
    assert source.failed == {0: "not-an-image", 8: "not-an-image"}


def test_nothing_but_failures_is_no_error(tmp_path: Path):
    samples = write(tmp_path, ALIKE[:3], broken=(0, 1, 2))
    for budget in (None, 0):
        source = open_images(samples, device="cpu", budget_bytes=budget)
        params = np.tile(np.array([0, 0, 1, 1, 0, 0], np.float32), (3, 1))
        assert not source.batch(np.arange(3), params, BRIGHT)[0].any()
        assert len(source.failed) == 3
        assert not source.sizes.any()


def test_some_rows_can_be_kept(samples: Samples):
    rows = np.array([30, 4, 11])
    some, every = open_images(samples, device="cpu", rows=rows), open_images(samples, device="cpu")
    params = views(samples, every)
    asked = np.array([11, 30])
    assert torch.equal(some.batch(asked, params[asked], STUDENT)[0], every.batch(asked, params[asked], STUDENT)[0])
    assert (some.sizes[rows] == every.sizes[rows]).all()


def test_images_that_do_not_fit_are_streamed(samples: Samples):
    class Heard(Silent):
        said: list[str] = []  # noqa: RUF012

        def info(self, text: str) -> None:
            self.said.append(text)

    source = open_images(samples, device="cpu", budget_bytes=3000, events=Heard())
    assert not source.resident
    assert "when they are needed" in Heard.said[0]


def test_an_estimate_that_was_too_low_ends_in_streaming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    samples = write(tmp_path, ALIKE)
    monkeypatch.setattr("teachonce.data.resident.probe_pixels", lambda *_: 10.0)
    source = open_images(samples, device="cpu", budget_bytes=20 * 20 * 3 * 30)
    assert not source.resident
    assert source.sizes.all()


def test_arrays_and_digits_are_sources_too():
    for samples in (open_samples("digits", limit=20), ArraySamples([photo(9, 9, row) for row in range(20)])):
        for budget in (None, 0):
            source = open_images(samples, device="cpu", budget_bytes=budget)
            params = np.tile(np.array([0, 0, 1, 1, 0, 0], np.float32), (2, 1))
            (got,) = source.batch(np.array([3, 12]), params, STUDENT)
            expected = render(torch.from_numpy(samples.decode(12).copy())[None], params[:1], STUDENT)
            assert torch.equal(got[1], expected[0])
            assert (source.sizes == samples.decode(0).shape[:2]).all()


def test_views_are_asked_for_in_order_and_not_far_ahead(samples: Samples):
    source = open_images(samples, device="cpu", budget_bytes=0, workers=2)
    asked: list[int] = []

    def params_for(rows: np.ndarray) -> np.ndarray:
        asked.append(int(rows[0]))
        return np.tile(np.array([0, 0, 1, 1, 0, 0], np.float32), (len(rows), 1))

    stream = source.stream((np.array([row]) for row in range(40)), params_for, STUDENT)
    next(stream)
    assert asked == sorted(asked)
    assert len(asked) <= 4
    stream.close()


def test_budgets_are_shares_of_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert 0 < host_budget() < available_memory()
    assert device_budget(torch.device("cpu")) > 0
    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    monkeypatch.setattr("teachonce.data.memory._CGROUP", tmp_path)
    assert available_memory() == 4000000
    (tmp_path / "memory.max").write_text("max\n")
    assert available_memory() > 4000000


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_gpu_draws_the_same_bytes(samples: Samples, monkeypatch: pytest.MonkeyPatch):
    cpu = open_images(samples, device="cpu")
    params, rows = views(samples, cpu), np.arange(samples.rows)
    expected = cpu.batch(rows, params, *SPECS)
    on_device = open_images(samples, device="cuda")
    monkeypatch.setattr("teachonce.data.resident.device_budget", lambda _: 0)
    on_host, streamed = open_images(samples, device="cuda"), open_images(samples, device="cuda", budget_bytes=0)
    assert [source.placement for source in (on_device, on_host, streamed)] == ["device", "host", "streamed"]
    for source in (on_device, on_host, streamed):
        for theirs, ours in zip(expected, source.batch(rows, params, *SPECS), strict=True):
            assert torch.allclose(theirs, ours.cpu(), atol=1e-6)
        halves = list(source.stream([rows[:7], rows[7:]], lambda rows: params[rows], *SPECS))  # beside the kernels
        for theirs, ours in zip(expected, zip(*(drawn for _, drawn in halves), strict=True), strict=True):
            assert torch.allclose(theirs, torch.cat(ours).cpu(), atol=1e-6)

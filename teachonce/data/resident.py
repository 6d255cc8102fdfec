"""The images of a dataset as rendered batches: decoded once and kept where they fit, else decoded when needed."""

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from teachonce.data.blocks import Block, decode_blocks
from teachonce.data.decode import DecodeError, image_size
from teachonce.data.memory import Placement, device_budget, host_budget, where_kept
from teachonce.data.packed import Packed
from teachonce.data.pil import render_image
from teachonce.data.pixels import Collected, Pixels, TooLargeError
from teachonce.data.render import normalise
from teachonce.data.rules import installed_rule
from teachonce.data.samples import EncodedSamples, Samples
from teachonce.data.transfer import Sent, Transfer
from teachonce.data.workers import chunk_rows, count_workers, decode_rows, in_order, probe_pixels, read_ahead, read_row
from teachonce.events import SILENT, Events
from teachonce.types import InputSpec, Probe, Resizing

__all__ = ["Block", "ImageSource", "decode_blocks", "open_images"]

_HEADER_ROWS = 256
_PROBED = 64
_RESERVED = 2.0  # of the estimate, as address space
_SENT = 3  # batches that are on their way to a GPU, the one that is asked for among them


class ImageSource:
    """Rendered batches of a dataset's images.

    Args:
        samples: The data.
        device: Where batches are wanted.
        rows: int64, the rows that may be asked for.
        pixels: Their images in memory, by place in `rows`; None: they are decoded when they are asked for.
        workers: Threads that decode and render where nothing is kept.
        rule: How views are resized.

    Attributes:
        failed: The code of each row that gave no image, as far as rows were decoded. Such a row is shown black.
        probe: Hears when images have been drawn (`data`) and lifted to the device (`transfer`); None: nobody does.
    """

    def __init__(
        self,
        samples: Samples,
        *,
        device: torch.device,
        rows: np.ndarray,
        pixels: Pixels | None,
        workers: int,
        rule: Resizing,
    ) -> None:
        self.samples, self.device, self.rows, self.rule = samples, device, rows, rule
        self.failed: dict[int, str] = {}
        self.probe: Probe | None = None
        self._pixels, self._workers, self._transfer = pixels, workers, Transfer(device)
        self._sends = pixels is not None and pixels.keep.type != device.type
        self._places = np.full(samples.rows, -1, np.int64)
        self._places[rows] = np.arange(len(rows))

    @property
    def resident(self) -> bool:
        """Whether the images are kept in memory."""
        return self._pixels is not None

    @property
    def placement(self) -> Placement:
        """Where images come from: `device` or `host` memory, or `streamed` from the data."""
        if self._pixels is None:
            return "streamed"
        return "device" if self._pixels.keep == self.device else "host"

    @property
    def kept(self) -> Tensor | None:
        """The images in memory, uint8, flat or (n, height, width, 3); None where they are streamed.

        It may be the used part of a larger storage: address space that no page of memory stands behind.
        """
        return None if self._pixels is None else self._pixels.kept

    @property
    def ahead(self) -> int:
        """Batches that `stream` draws before they are asked for, at most; 0: `batch` is as good."""
        if self._sends:
            return _SENT
        return 0 if self.resident else read_ahead(self._workers)

    @cached_property
    def sizes(self) -> np.ndarray:
        """int64 (samples.rows, 2), height and width in pixels; zeros for failed rows and rows that are not ours."""
        sizes = np.zeros((self.samples.rows, 2), np.int64)
        if self._pixels is not None:
            sizes[self.rows] = self._pixels.sizes
        elif len(self.rows):
            parts = np.array_split(self.rows, -(-len(self.rows) // _HEADER_ROWS))
            with closing(in_order(self._measure, parts, workers=self._workers)) as measured:
                sizes[self.rows] = np.concatenate(list(measured))
        return sizes

    def batch(self, rows: np.ndarray, params: np.ndarray, *specs: InputSpec) -> tuple[Tensor, ...]:
        """One view of some rows, as each of several models takes it.

        Args:
            rows: Integers (B,).
            params: float32 (B, 6) on the host, see `teachonce.data.views`.
            specs: The models' inputs.

        Returns:
            For each spec float32 (B, 3, height, width) on the device, normalised.
        """
        if self._pixels is None:
            return self._lift(self._draw(rows, params, specs), specs)
        return self._rendered(self._pixels.batch(self._places[rows], self.probe), params, specs)

    def _rendered(self, images: Packed, params: np.ndarray, specs: tuple[InputSpec, ...]) -> tuple[Tensor, ...]:
        drawn: dict[tuple[int, int, str], Tensor] = {}
        for spec in specs:
            if _shape(spec) not in drawn:
                drawn[_shape(spec)] = images.draw(params, spec, self.rule)
        return tuple(normalise(drawn[_shape(spec)], spec) for spec in specs)

    def stream(
        self, batches: Iterable[np.ndarray], params_for: Callable[[np.ndarray], np.ndarray], *specs: InputSpec
    ) -> Generator[tuple[np.ndarray, tuple[Tensor, ...]], None, None]:
        """`batch` for each of `batches`, in order.

        What is not in memory is decoded and rendered ahead in workers. What is in the host's memory, and wanted on a
        GPU, is collected ahead, pinned and sent by a thread.

        Args:
            batches: Rows of each batch.
            params_for: The views of a batch's rows, float32 (B, 6); called in order, in the calling thread.
            specs: The models' inputs.

        Yields:
            The rows, and what `batch` returns for them.
        """
        jobs = ((rows, params_for(rows)) for rows in batches)
        if self._sends:
            with closing(in_order(self._send, jobs, workers=1, ahead=_SENT)) as sent:
                yield from map(partial(self._received, specs), sent)
            return
        if self._pixels is not None:
            for rows, params in jobs:
                yield rows, self.batch(rows, params, *specs)
            return
        work = in_order(lambda job: (job[0], self._draw(*job, specs)), jobs, workers=self._workers)
        with closing(work) as drawn:  # a loop's own variables would keep the pixels until the next are wanted
            yield from map(partial(self._lifted, specs), drawn)

    def _send(self, job: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray, Sent[Packed]]:
        """Images of the host on their way to the device; runs in a worker."""
        assert self._pixels is not None
        rows, params = job
        return rows, params, self._transfer.send(partial(self._pixels.batch, self._places[rows]))

    def _received(
        self, specs: tuple[InputSpec, ...], job: tuple[np.ndarray, np.ndarray, Sent[Packed]]
    ) -> tuple[np.ndarray, tuple[Tensor, ...]]:
        rows, params, sent = job
        self._past("data")
        images = self._transfer.receive(sent, sent.value.pixels)
        self._past("transfer")
        return rows, self._rendered(images, params, specs)

    def _draw(self, rows: np.ndarray, params: np.ndarray, specs: tuple[InputSpec, ...]) -> list[Tensor]:
        """uint8 (B, 3, height, width) for each spec, on the host; runs in a worker."""
        shapes = {_shape(spec): spec for spec in specs}
        pin = self.device.type == "cuda"
        out = {
            key: torch.zeros((len(rows), 3, spec.height, spec.width), dtype=torch.uint8, pin_memory=pin)
            for key, spec in shapes.items()
        }
        for index, row in enumerate(np.asarray(rows).tolist()):
            image = read_row(self.samples, row).image
            if isinstance(image, DecodeError):
                self.failed[row] = image.code
                continue
            for key, spec in shapes.items():
                out[key][index] = torch.from_numpy(render_image(image, params[index], spec, self.rule))
        return [out[_shape(spec)] for spec in specs]

    def _lift(self, pixels: list[Tensor], specs: tuple[InputSpec, ...]) -> tuple[Tensor, ...]:
        self._past("data")
        lifted = [self._transfer.bring(part) for part in pixels]
        self._past("transfer")
        return tuple(normalise(part, spec) for part, spec in zip(lifted, specs, strict=True))

    def _past(self, part: str) -> None:
        if self.probe is not None:
            self.probe(part)

    def _lifted(
        self, specs: tuple[InputSpec, ...], drawn: tuple[np.ndarray, list[Tensor]]
    ) -> tuple[np.ndarray, tuple[Tensor, ...]]:
        return drawn[0], self._lift(drawn[1], specs)

    def _measure(self, rows: np.ndarray) -> np.ndarray:
        """Heights and widths, int64 (n, 2), from the files' headers where there are files."""
        sizes, samples = np.zeros((len(rows), 2), np.int64), self.samples
        for index, row in enumerate(rows.tolist()):
            try:
                if isinstance(samples, EncodedSamples):
                    sizes[index] = image_size(samples.encoded(row))
                else:
                    sizes[index] = samples.decode(row).shape[:2]
            except DecodeError as error:
                self.failed[row] = error.code
        return sizes


def open_images(
    samples: Samples,
    *,
    device: torch.device | str,
    rows: np.ndarray | None = None,
    budget_bytes: int | None = None,
    workers: int | None = None,
    rule: Resizing | None = None,
    events: Events = SILENT,
) -> ImageSource:
    """Decode the images of a dataset once and keep them as uint8, if they fit.

    Args:
        samples: The data.
        device: Where rendered batches are wanted.
        rows: The rows that will be asked for; None: all.
        budget_bytes: What the images may take, on the device or else on the host; None: a share of what is free there;
            0: keep nothing.
        workers: See `teachonce.data.workers.count_workers`.
        rule: How views are resized: a store's own; None: as the installed Pillow does.
        events: Who watches.
    """
    device, threads = _indexed(torch.device(device)), count_workers(workers)
    wanted = np.arange(samples.rows, dtype=np.int64) if rows is None else np.asarray(rows, np.int64)
    capacity = host_budget() if budget_bytes is None else budget_bytes
    on_device = device_budget(device) if budget_bytes is None else budget_bytes
    mean = probe_pixels(samples, wanted, _PROBED) if capacity else 0.0
    expected = int(3 * mean * len(wanted))
    make = partial(ImageSource, samples, device=device, rows=wanted, workers=threads, rule=rule or installed_rule())
    collected = None
    if capacity and where_kept(expected, host=capacity, device=on_device) != "streamed":
        reserved = min(capacity, int(expected * _RESERVED) + (64 << 20))
        collected = _collect(samples, wanted, reserved, threads, mean, events)
    if collected is None:
        if capacity:
            events.info(f"images are decoded when they are needed: {expected / 1e9:.1f} GB do not fit in memory")
        return make(pixels=None)
    keep = device if collected.used <= on_device else torch.device("cpu")
    source = make(pixels=Pixels(collected, device, keep))
    source.failed.update(collected.failed)
    return source


def _collect(
    samples: Samples, rows: np.ndarray, capacity: int, workers: int, pixels: float, events: Events
) -> Collected | None:
    collected = Collected(capacity)
    chunks = np.array_split(rows, max(1, -(-len(rows) // chunk_rows(pixels))))
    decoded = decode_rows(samples, chunks, workers=workers, pixels=pixels)
    with closing(decoded), events.task("decode images", total=len(rows)) as task:
        for part, done in zip(chunks, decoded, strict=True):
            try:
                collected.add(part, done)
            except TooLargeError:
                return None
            task.advance(len(part))
    return collected


def _indexed(device: torch.device) -> torch.device:
    """`cuda` as `cuda:0`, the way tensors have it."""
    return torch.empty(0, device=device).device


def _shape(spec: InputSpec) -> tuple[int, int, str]:
    return spec.height, spec.width, spec.filter

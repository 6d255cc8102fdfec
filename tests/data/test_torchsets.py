import numpy as np
import pytest
import torch
from imagekit import noise
from PIL import Image
from torch.utils.data import Dataset, TensorDataset

from teachonce.data.samples import ArraySamples, Samples
from teachonce.data.torchsets import TorchSamples
from teachonce.digests import digest_array
from teachonce.errors import DataError


class Photos(Dataset[object]):
    """As torchvision's datasets are: PIL images, `targets` and `classes`."""

    targets = (2, 0, 1)
    classes = ("a", "b", "c")

    def __len__(self) -> int:
        return 3

    def __getitem__(self, row: int) -> tuple[Image.Image, int]:
        return Image.fromarray(noise(5, 7, row)), self.targets[row]


class Random(Photos):
    def __getitem__(self, row: int) -> tuple[Image.Image, int]:
        return Image.fromarray(noise(5, 7, np.random.default_rng().integers(1 << 30))), 0


class Float(Photos):
    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:  # type: ignore[override]
        return torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(0)), 0


def check(samples: Samples, *images: np.ndarray) -> None:
    assert samples.identity == "array"
    for row, image in enumerate(images):
        assert (samples.decode(row) == image).all()
        assert samples.digest(row) == digest_array(image)


def test_images_labels_and_names_are_taken_from_the_dataset():
    samples = TorchSamples(Photos())
    check(samples, *(noise(5, 7, row) for row in range(3)))
    assert samples.labels is not None
    assert samples.labels.tolist() == [2, 0, 1]
    assert samples.class_names == ("a", "b", "c")
    assert samples.classes == 3
    assert samples.description == {"source": "Photos", "rows": 3}


@pytest.mark.parametrize("layout", ["HWC", "CHW", "HW", "CHW1"])
def test_tensors_of_either_layout(layout: str):
    images = torch.from_numpy(np.stack([noise(5, 7, row) for row in range(4)]))
    given = {"HWC": images, "CHW": images.movedim(-1, 1), "HW": images[..., 0], "CHW1": images[:, None, ..., 0]}[layout]
    expected = images if layout in ("HWC", "CHW") else images[..., :1].expand(-1, -1, -1, 3)
    samples = TorchSamples(TensorDataset(given, torch.tensor([0, 1, 1, 0])))
    check(samples, *expected.numpy())
    assert samples.labels is not None
    assert samples.labels.tolist() == [0, 1, 1, 0]
    assert samples.class_names is None
    assert samples.classes == 2


def test_labels_can_be_given_or_absent():
    images = torch.from_numpy(np.stack([noise(5, 7)] * 2))
    assert TorchSamples(TensorDataset(images)).labels is None
    samples = TorchSamples(TensorDataset(images), labels=[1, 0], class_names=["no", "yes"])
    assert samples.classes == 2


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (TensorDataset(torch.empty(0, 4, 4, 3, dtype=torch.uint8)), "empty"),
        (Random(), "is random"),
        (Float(), "8-bit image in row 0, got float32"),
        (TensorDataset(torch.zeros(2, 4, 4, 5, dtype=torch.uint8)), "shape"),
        (TensorDataset(torch.zeros(2, 4, 4, 3, dtype=torch.uint8), torch.rand(2)), "real numbers"),
        (TensorDataset(torch.zeros(2, 4, 4, 3, dtype=torch.uint8), torch.zeros(2, 3).long()), "one label"),
    ],
)
def test_what_is_no_dataset_of_images_is_refused(dataset: Dataset[object], words: str):
    with pytest.raises(DataError, match=words):
        TorchSamples(dataset)


def test_arrays_are_checked():
    images = np.stack([noise(), noise()])
    assert ArraySamples(images).classes is None
    assert ArraySamples(images, [0, 4]).classes == 5
    with pytest.raises(DataError, match="at least one image"):
        ArraySamples([])
    with pytest.raises(DataError, match="in row 1"):
        ArraySamples([noise(), noise().astype(np.float32)])
    with pytest.raises(DataError, match="got shape"):
        ArraySamples(images, [0])
    with pytest.raises(DataError, match="got 2 in row 1"):
        ArraySamples(images, [0, 2], ["a", "b"])


def test_grey_of_no_known_scale_is_refused():
    dataset = [Image.fromarray(np.full((4, 4), 70_000, np.int32))] * 2
    with pytest.raises(DataError, match="70000"):
        TorchSamples(dataset)


def test_items_may_lack_a_label():
    images = torch.zeros(3, 4, 4, 3, dtype=torch.uint8)
    samples = TorchSamples(TensorDataset(images, torch.tensor([1.0, float("nan"), -1.0])))
    assert samples.labels is not None
    assert samples.labels.tolist() == [1, -1, -1]
    assert TorchSamples(TensorDataset(images, torch.tensor([-1, -1, -1]))).labels is None

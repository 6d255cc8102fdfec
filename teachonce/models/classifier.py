"""A transformers image classifier, split in one place: all before its last linear layer, and that layer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from teachonce.errors import ModelError
from teachonce.models.student import Student
from teachonce.types import InputSpec


class SplitClassifier(Student):
    """Any AutoModelForImageClassification network whose logits are one linear layer on its penultimate embedding.

    The last linear layer is taken out and an identity put in its place, so that the network's own forward ends at the
    embedding: no hooks, no second pass, and nothing that torch.compile could stumble over.

    Args:
        network: The transformers model; it is changed in place.
        spec: The text it was built from.
        input: What it takes.

    Raises:
        ModelError: The network has no such layer (`find_head` says why).
    """

    def __init__(self, network: nn.Module, *, spec: str, input: InputSpec) -> None:
        super().__init__()
        probe = probe_pixels(input)
        self._path = find_head(network, probe)
        expected = _logits(network, probe)
        self.spec, self.input = spec, input
        self.network = network
        classifier = network.get_submodule(self._path)
        assert isinstance(classifier, nn.Linear)
        self.classifier = classifier
        self.embedding_dim, self.classes = classifier.in_features, classifier.out_features
        network.set_submodule(self._path, nn.Identity())
        self._check(probe, expected)

    def embed(self, pixels: Tensor) -> Tensor:
        """See Student.embed."""
        embedding: Tensor = self.network(pixel_values=pixels).logits
        return embedding

    def head(self, embedding: Tensor) -> Tensor:
        """See Student.head."""
        logits: Tensor = self.classifier(embedding)
        return logits

    @contextmanager
    def whole(self) -> Iterator[Any]:
        """The transformers model as it was before the split, for `save_pretrained`."""
        self.network.set_submodule(self._path, self.classifier)
        try:
            yield self.network
        finally:
            self.network.set_submodule(self._path, nn.Identity())

    def _check(self, probe: Tensor, expected: Tensor) -> None:
        with evaluating(self), torch.no_grad():
            embedding = self.embed(probe)
            same = embedding.shape == (len(probe), self.embedding_dim) and torch.allclose(
                self.head(embedding), expected, rtol=1e-4, atol=1e-5
            )
        if not same:
            self.network.set_submodule(self._path, self.classifier)
            raise ModelError(f"{self.spec}: its logits are not one linear layer on one embedding")


def find_head(network: nn.Module, probe: Tensor) -> str:
    """The path of the last linear layer that ran and gave what has the shape of the logits.

    Raises:
        ModelError: There is none.
    """
    seen: list[str] = []
    shape = _logits(network, probe).shape

    def record(path: str) -> Any:
        return lambda _module, _inputs, output: seen.append(path) if output.shape == shape else None

    linears = [(path, module) for path, module in network.named_modules() if isinstance(module, nn.Linear)]
    hooks = [module.register_forward_hook(record(path)) for path, module in linears]
    try:
        _logits(network, probe)
    finally:
        for hook in hooks:
            hook.remove()
    if not seen:
        raise ModelError(f"{type(network).__name__} does not end in a linear layer")
    return seen[-1]


def probe_pixels(spec: InputSpec, count: int = 2) -> Tensor:
    """A small batch (count, 3, height, width) of fixed noise, to look at what a network does with it."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 3, spec.height, spec.width, generator=generator)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """In eval mode for a while."""
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)


def _logits(network: nn.Module, probe: Tensor) -> Tensor:
    with evaluating(network), torch.no_grad():
        logits: Tensor = network(pixel_values=probe).logits
    return logits

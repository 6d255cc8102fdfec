"""A transformers image classifier, split in one place: all before its last linear layer, and that layer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from teachonce.errors import ModelError
from teachonce.models.precision import as_taken
from teachonce.models.student import Student
from teachonce.processwide import evaluating
from teachonce.types import InputSpec

_MEND = "Use another architecture, or a package.module:factory with embed and head of your own"


class SplitClassifier(Student):
    """Any AutoModelForImageClassification network whose logits are one linear layer on its penultimate embedding.

    The last linear layer is taken out and an identity put in its place, so that the network's own forward ends at the
    embedding: no hooks, no second pass, nothing that torch.compile could stumble over. It is checked on a probe that
    head(embed(x)) gives the logits that the whole network gave.

    Args:
        network: The transformers model; it is changed in place.
        spec: The text it was built from.
        input: What it takes.

    Raises:
        ModelError: The network does not end in one linear layer, or cannot take what `input` says. It is whole again.
    """

    def __init__(self, network: nn.Module, *, spec: str, input: InputSpec) -> None:
        super().__init__()
        probe = as_taken(probe_pixels(input), network)
        self._path, expected = find_head(network, probe, spec)
        self.spec, self.input = spec, input
        self.network = network
        classifier = network.get_submodule(self._path)
        assert isinstance(classifier, nn.Linear)
        self.classifier = classifier
        self.embedding_dim, self.classes = classifier.in_features, classifier.out_features
        network.set_submodule(self._path, nn.Identity())
        if not self._gives(probe, expected):
            network.set_submodule(self._path, classifier)
            raise ModelError(f"{spec}: its logits are not a linear layer of one embedding", _MEND)

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
        """The transformers model as it was before the split, for `save_pretrained`.

        The very same identity is put back: a compiled network is guarded by it and need not be compiled again.
        """
        identity = self.network.get_submodule(self._path)
        self.network.set_submodule(self._path, self.classifier)
        try:
            yield self.network
        finally:
            self.network.set_submodule(self._path, identity)

    def _gives(self, probe: Tensor, expected: Tensor) -> bool:
        with evaluating(self), torch.no_grad():
            try:
                embedding = self.embed(probe)
                logits = self.head(embedding)
            except RuntimeError:  # several heads that are averaged: shapes do not fit
                return False
        close = torch.allclose(logits, expected, rtol=1e-4, atol=1e-5, equal_nan=True)
        return close and embedding.shape == (len(probe), self.embedding_dim)


def find_head(network: nn.Module, probe: Tensor, spec: str) -> tuple[str, Tensor]:
    """The path of the last linear layer that ran and gave what has the shape of the logits; and the probe's logits.

    Raises:
        ModelError: There is none, or the network cannot take the probe.
    """
    seen: list[tuple[str, torch.Size]] = []

    def record(path: str) -> Callable[[nn.Module, Any, Tensor], None]:
        return lambda _module, _inputs, output: seen.append((path, output.shape))

    linears = [(path, module) for path, module in network.named_modules() if isinstance(module, nn.Linear)]
    hooks = [module.register_forward_hook(record(path)) for path, module in linears]
    try:
        with evaluating(network), torch.no_grad():
            logits: Tensor = network(pixel_values=probe).logits
    except Exception as error:
        message = f"{spec}: {type(network).__name__} fails on images of {tuple(probe.shape[2:])} px: {error}"
        raise ModelError(message, "Check that the image size or processor and the model belong together") from error
    finally:
        for hook in hooks:
            hook.remove()
    paths = [path for path, shape in seen if shape == logits.shape]
    if not paths:
        raise ModelError(f"{spec}: {type(network).__name__} does not end in a linear layer", _MEND)
    return paths[-1], logits


def probe_pixels(spec: InputSpec, count: int = 2) -> Tensor:
    """A small batch (count, 3, height, width) of fixed noise, to look at what a network does with it."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 3, spec.height, spec.width, generator=generator)

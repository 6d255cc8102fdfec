"""RDMs run live, on the live teacher's embeddings: what a store of them would hold."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from teachonce.engine.live import LiveTargets
from teachonce.engine.targets import BatchRows, TargetSource
from teachonce.methods.targets import Needs, Targets
from teachonce.models.rdm import RdmStack
from teachonce.types import ArraySpec, TargetSpec


class LiveRdms(TargetSource):
    """The live teacher and its RDMs.

    An RDM rounds, so it is a function of the embedding *as stored*: the live one is cast to that dtype first.

    Args:
        teacher: Gives embeddings at least.
        needs: What the method needs, with the RDMs among its extras.
        rdms: Name -> the RDM alone in its stack, on the device, in eval mode.
        stored: The dtype of the stored embeddings.
        dtype: Cast the RDMs' outputs to this, as a store of that dtype would; None: float32.
    """

    def __init__(
        self,
        teacher: LiveTargets,
        needs: Needs,
        rdms: Mapping[str, RdmStack],
        *,
        stored: torch.dtype,
        dtype: torch.dtype | None = None,
    ) -> None:
        self._teacher, self._needs, self._rdms = teacher, needs, dict(rdms)
        self._stored, self._dtype = stored, dtype or torch.float32
        self.networks = (*teacher.networks, *rdms.values())
        self.input, spec = teacher.input, teacher.spec
        assert spec is not None
        self.spec = replace(spec, extras={name: _spec(name, rdm, spec) for name, rdm in rdms.items()})

    def fetch(self, rows: BatchRows, view: int, images: Tensor | None) -> Targets:
        """See TargetSource.fetch."""
        targets = self._teacher.fetch(rows, view, images)
        assert targets.image_embedding is not None
        seen = targets.image_embedding.to(self._stored).float()
        with torch.no_grad():
            extras = {name: self._outputs(rdm, seen) for name, rdm in self._rdms.items()}
        embedding = targets.image_embedding if self._needs.image_embedding else None
        return replace(targets, image_embedding=embedding, extras=extras)

    def _outputs(self, rdm: RdmStack, embedding: Tensor) -> Targets:
        own, logits = rdm.outputs(embedding)
        return Targets(
            image_embedding=self._cast(own) if self._needs.image_embedding else None,
            logits=self._cast(logits) if self._needs.logits else None,
        )

    def _cast(self, stacked: Tensor | None) -> Tensor | None:
        """Of the one RDM in a stack, in the wanted dtype."""
        return None if stacked is None else stacked[0].to(self._dtype)


def _spec(name: str, rdm: RdmStack, teacher: TargetSpec) -> TargetSpec:
    """What an RDM offers, in the words of a store."""
    widths = {"image_embedding": rdm.spec.embedding_dim if rdm.spec.reconstructs else None, "logits": rdm.spec.classes}
    shape = (teacher.rows, teacher.views)
    return replace(
        teacher,
        name=name,
        embedding_dim=widths["image_embedding"],
        classes=widths["logits"],
        arrays={key: ArraySpec(shape=(*shape, width), dtype="float32") for key, width in widths.items() if width},
    )

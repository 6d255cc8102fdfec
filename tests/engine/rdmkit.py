"""RDM targets that were never trained: random weights serve where a student only has to read them."""

from collections.abc import Sequence

import numpy as np
import torch

from teachonce.cache.dtypes import from_stored, to_stored
from teachonce.cache.store import Store
from teachonce.cache.writer import TargetWriter
from teachonce.engine.rdm.stored import rdm_bytes, rdm_head
from teachonce.models.rdm import RdmSpec, RdmStack
from teachonce.types import DECODED, FAILED, ArraySpec

SPREAD = 40.0
"""Random latents are small and would round to zeros all; this makes them some units wide."""


def random_rdm(dim: int, classes: int | None = 10, *, preset: str = "general", seed: int = 0) -> RdmStack:
    rdm = RdmStack(RdmSpec(preset=preset, embedding_dim=dim, classes=classes), seed=seed).eval()
    with torch.no_grad():
        rdm.layers[1].weight.mul_(SPREAD)
    return rdm.requires_grad_(requires_grad=False)


def add_rdm(
    store: Store,
    name: str = "rdm-10",
    *,
    parent: str = "teacher",
    preset: str = "general",
    classes: int | None = 10,
    seed: int = 0,
    shifted: int = 0,
    failed: Sequence[int] = (),
    fingerprint: str | None = None,
    dtype: str | None = None,
) -> RdmStack:
    """Seal what an RDM makes of the stored embeddings of its parent, block by block; `shifted` moves every row."""
    main = store.sealed(parent)
    dim, dtype = main.arrays["image_embedding"].shape[-1], dtype or main.arrays["image_embedding"].dtype
    rdm = random_rdm(dim, classes, preset=preset, seed=seed)
    specs = {key: ArraySpec(shape=(width,), dtype=dtype) for key, width in rdm.spec.widths.items()}
    fields = {
        "rdm": {"made": name, "seed": seed, "shifted": shifted},
        "parent": {
            "name": parent,
            "fingerprint": fingerprint or main.fingerprint,
            "content": main.seal["journal"],
        },
    }
    info = {"rdm_spec": rdm.spec.to_json(), "class_names": main.attributes.get("class_names")}
    writer = TargetWriter(
        store,
        name,
        kind="rdm",
        fingerprint=fields,
        settings={},
        info=info,
        arrays=specs,
        head=rdm_head(rdm),
        weights=rdm_bytes(rdm),
    )
    values = _outputs(store, parent, rdm, dtype)
    status = np.full(store.spec.rows, DECODED, np.uint8)
    status[list(failed)] = FAILED
    with writer:
        for block in range(store.blocks):
            start, stop = store.block_range(block)
            rows = (np.arange(start, stop) - shifted) % store.spec.rows
            part = {key: np.ascontiguousarray(values[key][rows]) for key in specs}
            damaged = {row: "damaged" for row in failed if start <= row < stop}
            writer.commit(block, part, status[start:stop], damaged)
        writer.seal(labels=store.labels(), classes=10, per_class=5, max_failed=len(failed))
    return rdm


def _outputs(store: Store, parent: str, rdm: RdmStack, dtype: str) -> dict[str, np.ndarray]:
    """(rows, views, width) of each array, as stored."""
    reader, found = store.target(parent), {"image_embedding": [], "logits": []}
    for view in range(store.spec.views):
        for block in range(store.blocks):
            rows = np.arange(*store.block_range(block))
            seen = from_stored(reader.read("image_embedding", rows, view), dtype)
            out = rdm(torch.from_numpy(np.asarray(seen, np.float32)))
            for key, value in (("image_embedding", out.embedding), ("logits", out.logits)):
                if value is not None:
                    found[key].append(to_stored(value[0].numpy(), dtype))
    rows = store.spec.rows
    return {
        key: np.concatenate(parts).reshape(store.spec.views, rows, -1).swapaxes(0, 1)
        for key, parts in found.items()
        if parts
    }

"""RDMs as a store keeps them: the weights beside their target."""

from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from teachonce.cache.store import Store
from teachonce.cache.targets import TargetRecord
from teachonce.cache.verify import read_weights
from teachonce.engine.checkpoint import own_tensors
from teachonce.errors import CorruptError, MismatchError, ModelError
from teachonce.models.rdm import RdmSpec, RdmStack

KIND = "rdm"


def load_rdm(store: Store, name: str) -> RdmStack:
    """The RDM of a sealed target: one, in eval mode, on the CPU.

    Put the stored embeddings of its parent (`fingerprint_fields["parent"]["name"]`) through it, as float32, and the
    values are those of the target before they were cast to its dtype.

    Raises:
        StoreMissingError: There is no such target.
        UnsealedError: It is not complete.
        MismatchError: It is no RDM's.
        CorruptError: Its weights are damaged.
    """
    return rdm_of(store.sealed(name))


def rdm_of(record: TargetRecord) -> RdmStack:
    """The RDM of a target that was begun; see `load_rdm`."""
    data = read_weights(record)
    if record.kind != KIND or data is None:
        made = f"it was made by a teacher ({record.kind})"
        raise MismatchError(f"target {record.name!r} of {record.root} is not an RDM: {made}", "Name an rdm-... target")
    try:
        stack = RdmStack(RdmSpec.from_json(record.attributes["rdm_spec"]))
        stack.load_state_dict(load(data))
    except (KeyError, TypeError, ModelError, RuntimeError, SafetensorError) as error:
        mend = "Restore the target from a copy, or remove its folders and run `teachonce rdm` again"
        raise CorruptError(
            f"the weights of target {record.name!r} of {record.root} are not those of an RDM", mend
        ) from error
    return stack.eval().requires_grad_(requires_grad=False)


def is_of(rdm: TargetRecord, target: TargetRecord) -> bool:
    """Whether an RDM was trained on exactly this sealed target: it repeats what that has, and no other of its name."""
    told = rdm.fingerprint_fields.get("parent", {})
    return (told.get("fingerprint"), told.get("content")) == (target.fingerprint, target.seal["journal"])


def places(name: str) -> str:
    """What to remove of a store, so that an RDM is made anew."""
    return f"targets/{name}, journal/{name} and classes/{name}"


def rdm_bytes(rdm: RdmStack) -> bytes:
    """The safetensors file of one RDM (a stack of count 1); the same weights give the same bytes."""
    assert rdm.count == 1
    data: bytes = save(own_tensors(rdm.state_dict()))
    return data


def rdm_head(rdm: RdmStack) -> Any:
    """The head of one RDM as a target keeps it: float32 weight (C, D) and bias (C,); None where it has none."""
    if not rdm.spec.reconstructs or rdm.spec.classes is None:
        return None
    weight, bias = rdm.head(0)
    return weight.float().cpu().numpy(), bias.float().cpu().numpy()

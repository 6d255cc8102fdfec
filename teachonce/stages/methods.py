"""What methods there are, and what each reads of a store."""

from dataclasses import dataclass

from teachonce.cache.store import open_store
from teachonce.events import Events
from teachonce.options.methods import METHODS, MethodEntry, MethodsOptions, SettingEntry, Takes, parts_of
from teachonce.options.verb import verb
from teachonce.signals import Needs, of_rows
from teachonce.types import TargetSpec

_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4}


@dataclass(frozen=True, kw_only=True)
class MethodFound:
    """A method."""

    name: str
    text: str
    """What it is, and its source."""
    needs: tuple[str, ...]
    """Signals."""
    takes: Takes | None
    """Targets beside the main one, named as the option that gives them."""
    sample_bytes: int | None
    """What it reads of one view of a sample from the target; 0 for nothing, None without a store."""
    settings: dict[str, SettingEntry]


@dataclass(frozen=True, kw_only=True)
class MethodsResult:
    """The methods that were asked for."""

    methods: tuple[MethodFound, ...]
    store: str | None
    target: str | None


@verb(MethodsOptions)
def methods(options: MethodsOptions, events: Events) -> MethodsResult:
    """List the methods.

    Raises:
        InputError: There is no such method.
        StoreMissingError: There is no such store or target.
        UnsealedError: The target is not finished.
    """
    chosen = tuple(METHODS.values()) if options.method is None else parts_of(options.method)
    spec = None if options.store is None else open_store(options.store).sealed(options.target).spec
    return MethodsResult(
        methods=tuple(_found(entry, spec) for entry in chosen),
        store=None if options.store is None else str(options.store),
        target=None if options.store is None else options.target,
    )


def _found(entry: MethodEntry, spec: TargetSpec | None) -> MethodFound:
    return MethodFound(
        name=entry.name,
        text=entry.text,
        needs=_ordered(entry.needs),
        takes=entry.takes,
        sample_bytes=None if spec is None else _bytes(entry.needs, spec),
        settings=dict(entry.settings),
    )


def _ordered(needs: Needs) -> tuple[str, ...]:
    rows = of_rows(needs)
    return (*rows, *sorted(needs - {*rows}))


def _bytes(needs: Needs, spec: TargetSpec) -> int | None:
    """Of the arrays that it reads; logits that are not stored follow from embeddings. None where one is missing."""
    names: set[str] = set()
    for name in of_rows(needs):
        stored = name if name in spec.arrays else "image_embedding"
        if stored not in spec.arrays:
            return None
        names.add(stored)
    arrays = [spec.arrays[name] for name in names]
    return sum(array.shape[-1] * _BYTES[array.dtype] for array in arrays)

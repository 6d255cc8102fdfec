"""Code of others: where a factory `package.module:factory` is looked up, and who has to name it before it is run.

A spec that the user types is run. One that a run's folder or a recipe holds is data from elsewhere: the user names it
again, or says that such code may run (`trust_remote_code`).
"""

import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from teachonce.errors import ModelError

FACTORY_PATH = "TEACHONCE_FACTORY_PATH"
"""The environment variable by which the processes of a recipe's steps know its folder."""
_FACTORY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_OURS = ("transformers:", "vit:")
"""What these are followed by is a config or options, whatever it looks like."""
_FOLDERS: ContextVar[tuple[str, ...]] = ContextVar("factory_folders", default=())


def is_factory(spec: str) -> bool:
    """Whether a spec has the form `package.module:factory`."""
    return not spec.startswith(_OURS) and _FACTORY.fullmatch(spec) is not None


@contextmanager
def factories_also_in(folder: Path) -> Iterator[None]:
    """Look factories up in one more folder, before the current one: that of the recipe that names them."""
    token = _FOLDERS.set((str(folder.absolute()), *_FOLDERS.get()))
    try:
        yield
    finally:
        _FOLDERS.reset(token)


def factory_environment() -> dict[str, str]:
    """What tells a process that we start where else factories are looked up."""
    folders = [*_FOLDERS.get(), *filter(None, [os.environ.get(FACTORY_PATH)])]
    return {FACTORY_PATH: os.pathsep.join(folders)} if folders else {}


@contextmanager
def factory_lookup() -> Iterator[None]:
    """Around the import and the call of a factory: behind everything else, a recipe's folder and the current one."""
    told = os.environ.get(FACTORY_PATH, "").split(os.pathsep)
    folders = dict.fromkeys(filter(None, [*_FOLDERS.get(), *told, str(Path.cwd())]))
    added = [folder for folder in folders if folder not in sys.path]
    sys.path.extend(added)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        for folder in added:
            with suppress(ValueError):
                sys.path.remove(folder)


def import_factory(spec: str) -> Callable[..., Any]:
    """Import what `package.module:factory` names: as Python finds it, else in a recipe's or the current folder.

    Raises:
        ModelError: The module cannot be imported, or holds no such callable.
    """
    module_name, _, path = spec.partition(":")
    try:
        with factory_lookup():
            value: Any = importlib.import_module(module_name)
        for part in path.split("."):
            value = getattr(value, part)
    except Exception as error:
        mend = "Check the spelling of package.module:factory, and that the module can be imported or is in this folder"
        what = "" if isinstance(error, ImportError | AttributeError) else f"{type(error).__name__}: "
        raise ModelError(f"factory {spec!r} cannot be imported: {what}{error}", mend) from error
    if not callable(value):
        raise ModelError(f"factory {spec!r} is a {type(value).__name__}, not a callable", "Name a function or a class")
    factory: Callable[..., Any] = value
    return factory


def factory_file(spec: str) -> str | None:
    """The file that importing a factory would run, found without running anything; None where there is none."""
    names = spec.partition(":")[0].split(".")
    found: Any = None
    with factory_lookup():
        for count in range(1, len(names) + 1):
            where = None if found is None else found.submodule_search_locations
            if count > 1 and where is None:  # a part of a plain module
                break
            found = _find(".".join(names[:count]), None if where is None else list(where))
            if found is None:
                return None
    origin: str | None = found.origin
    return origin


def _find(name: str, where: list[str] | None) -> Any:
    """The spec of a module, as `importlib.util.find_spec` finds it, but without importing its parents."""
    for finder in sys.meta_path:
        with suppress(Exception):
            found = finder.find_spec(name, where)
            if found is not None:
                return found
    return None


def refuse_code(owner: str, spec: str, *, again: str = "") -> ModelError:
    """The error where a folder or a recipe names a factory, and the user did not.

    Args:
        owner: What names it.
        spec: `package.module:factory`.
        again: How else the user may name it.
    """
    file = factory_file(spec)
    what = f"{owner} names the factory {spec}"
    if file is None:
        return ModelError(
            f"{what}, which is not found in this folder or installed", "Go to the folder of its module, or install it"
        )
    mend = f"Read that file; if you trust it, add --trust-remote-code{again}"
    return ModelError(f"{what}: it would run {file}, which was not allowed", mend)

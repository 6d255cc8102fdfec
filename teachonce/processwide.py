"""State that all threads of the process share: every function here that changes some puts it back.

The mode of a network, random generators, the number of threads, hooks on all modules, the environment, filters of
warnings, levels of loggers: while one of them is changed, every other thread works with the change. So nothing else in
the package touches them (a test reads its source; handlers of signals are in `processes/command.py`), and the threads
that a stage starts beside its own, which are called `teachonce-...`, may not change how numbers are computed: what the
stage computes meanwhile would depend on who was faster.
"""

import inspect
import logging
import os
import random
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # torch is imported by what needs it: the command line asks for its help without
    import torch
    from torch import nn
    from torch.utils.flop_counter import FlopCounterMode

Formulas = Mapping[Any, Callable[..., int]]
_OF_PIL = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


def _require_own_thread() -> None:
    """Refuse a thread that works beside the one that computes."""
    name = threading.current_thread().name
    if name.startswith("teachonce-"):
        raise RuntimeError(f"thread {name} would change what another thread computes: do it before threads start")


@contextmanager
def evaluating(module: "nn.Module") -> Iterator[None]:
    """A network in eval mode; then every part of it has the mode that it had.

    Args:
        module: Its own `train` is called, which may do more than set the modes.

    Raises:
        RuntimeError: The thread is not the one that computes.
    """
    _require_own_thread()
    modes = [(part, part.training) for part in module.modules()]
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)
        for part, mode in modes:
            part.training = mode


@contextmanager
def random_kept(device: "torch.device | None" = None) -> Iterator[None]:
    """The generators of torch (of the CPU and of `device`), NumPy and Python are then as they were.

    Raises:
        RuntimeError: The thread is not the one that computes.
    """
    import numpy as np
    import torch

    _require_own_thread()
    is_cuda = device is not None and device.type == "cuda"
    host, arrays = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng([device] if is_cuda else []):
            yield
    finally:
        random.setstate(host)
        np.random.set_state(arrays)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Make weights from `seed` alone, whatever was drawn before; the generators are then as they were.

    Networks are made on the CPU, so only its generators are touched: torch's, and those of NumPy and Python, from which
    a user's factory may draw.

    Raises:
        RuntimeError: The thread is not the one that computes.
    """
    import torch

    with random_kept():
        torch.default_generator.manual_seed(seed)
        seed_host(seed)
        yield


def seed_training(seed: int, device: "torch.device") -> None:
    """Set torch's generators of the CPU and of one device; call it within `random_kept(device)`."""
    import torch

    _require_own_thread()
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


def seed_host(seed: int, epoch: int = 0) -> None:
    """Set the generators of NumPy and Python, from which a user's network may draw; within `random_kept`.

    No checkpoint keeps them: they are set anew in each epoch.
    """
    import numpy as np

    _require_own_thread()
    random.seed(f"{seed} {epoch}")
    np.random.seed(random.getrandbits(32))


def random_state(device: "torch.device") -> dict[str, "torch.Tensor"]:
    """The state of torch's generators, uint8."""
    import torch

    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_state(states: "Mapping[str, torch.Tensor]", device: "torch.device") -> None:
    """Put back what `random_state` gave; a run that goes on on another kind of device keeps what fits.

    Within `random_kept(device)`.

    Raises:
        RuntimeError: It is no state of a generator.
    """
    import torch

    _require_own_thread()
    if "cpu" not in states or states["cpu"].dtype != torch.uint8:
        raise RuntimeError("no state of a generator")
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)


@contextmanager
def limited_threads(count: int | None) -> Iterator[None]:
    """Let torch use so many CPU threads inside; None changes nothing.

    Small networks are faster on one thread: they wait for each other longer than they compute, and where another
    process wants the same cores they wait ten times as long.

    Raises:
        RuntimeError: The thread is not the one that computes.
    """
    _require_own_thread()
    if count is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def current(device: "torch.device") -> Iterator[None]:
    """A GPU that is named by its number is the current one inside: streams and events that name none are its own."""
    import torch

    with torch.cuda.device(device.index if device.type == "cuda" and device.index is not None else -1):
        yield


@contextmanager
def allow_tf32(allowed: bool) -> Iterator[None]:
    """Whether a GPU may round the inputs of float32 products to TF32, of matrices and of convolutions alike.

    By itself torch does so in convolutions and in no matrix product. On a CPU it means nothing.

    Raises:
        RuntimeError: The thread is not the one that computes.
    """
    import torch

    _require_own_thread()
    products: tuple[Any, Any] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    wide, narrow = _fp32_scopes()
    # what the wider say, the narrower seem to say too, as long as they have nothing of their own
    before = [(scope, _replaced(scope, "none")) for scope in wide]
    flags = [(backend, _allows_tf32(backend)) for backend in products]
    before += [(scope, scope.fp32_precision) for scope in narrow]
    torch.set_float32_matmul_precision("highest")
    for backend in products:
        backend.allow_tf32 = allowed
    for scope in narrow[1:]:  # the flag leaves convolutions without their own
        _replaced(scope, "tf32" if allowed else "ieee")
    try:
        yield
    finally:
        for backend, flag in flags:
            if flag is not None:
                backend.allow_tf32 = flag
        for scope, precision in before:
            _replaced(scope, precision)


def _fp32_scopes() -> tuple[list[Any], list[Any]]:
    """Where torch 2.9 and later keeps how float32 products are computed: for many kinds of them, and for one each."""
    import torch

    backends, cudnn = torch.backends, torch.backends.cudnn
    wide = (backends, cudnn)
    narrow = (
        getattr(getattr(backends, "mkldnn", None), "matmul", None),
        *(backends.cuda.matmul, getattr(cudnn, "conv", None), getattr(cudnn, "rnn", None)),
    )
    lists = [[scope for scope in scopes if hasattr(scope, "fp32_precision")] for scopes in (wide, narrow)]
    return lists[0], lists[1]


def _replaced(scope: Any, precision: str) -> str:
    """Set how float32 products are computed; what it was."""
    before: str = scope.fp32_precision
    scope.fp32_precision = precision
    return before


def _allows_tf32(backend: Any) -> bool | None:
    """The older of torch's two settings; None where the newer one was set to what it cannot say."""
    try:
        return bool(backend.allow_tf32)
    except RuntimeError:
        return None


@contextmanager
def counting(formulas: Formulas) -> Iterator["FlopCounterMode"]:
    """Torch's counter of operations, which hooks every module of the process; then they have no hooks of its own.

    Args:
        formulas: Operation -> its count from the shapes, for operations that torch has none for.

    Raises:
        RuntimeError: The thread is not the one that computes.
    """
    from torch.utils.flop_counter import FlopCounterMode

    _require_own_thread()
    with FlopCounterMode(display=False, custom_mapping=dict(formulas)) as counter, _undecorated(type(counter.mode)):
        yield counter


@contextmanager
def _undecorated(mode: Any) -> Iterator[None]:
    """A mode of torch without the decorator that keeps torch.compile out of it, where nothing can be compiled.

    The decorator imports torch._dynamo, which takes about as long as `import torch`.
    """
    decorated = mode.__torch_dispatch__
    if "torch._dynamo" not in sys.modules:
        mode.__torch_dispatch__ = inspect.unwrap(decorated)
    try:
        yield
    finally:
        mode.__torch_dispatch__ = decorated


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Variables of the environment that are set inside where nobody has set them."""
    added = [name for name in values if name not in os.environ]
    os.environ.update({name: values[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def silent(*loggers: str) -> Iterator[None]:
    """No warnings, and of these loggers nothing but what is critical."""
    found = [logging.getLogger(name) for name in loggers]
    levels = [logger.level for logger in found]
    for logger in found:
        logger.setLevel(logging.CRITICAL)
    try:
        with unwarned():
            yield
    finally:
        for logger, level in zip(found, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def unwarned(message: str = "") -> Iterator[None]:
    """No warnings; or none whose text begins with the regular expression `message`."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message)
        yield


def ignore_warnings_of_pil() -> None:
    """PIL says once for each damaged file what helps nobody: what matters comes as a code.

    Nothing is put back: decoding is done by many threads, and whether a row can be decoded must not depend on who has
    made errors of warnings meanwhile. It costs nothing where it was the last to be asked for.
    """
    if warnings.filters[:1] != [_OF_PIL]:
        warnings.filterwarnings("ignore", module=_OF_PIL[3].pattern)


@contextmanager
def warned(category: type[Warning]) -> Iterator[list[warnings.WarningMessage]]:
    """The warnings that come inside; each one of `category` is among them, whatever the filters say."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", category)
        yield caught

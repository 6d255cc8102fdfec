"""What all threads share is changed in one module, put back, and refused to threads that work beside another."""

import ast
import logging
import os
import random
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import teachonce
from teachonce import processwide
from teachonce.engine.background import Behind
from teachonce.processes.command import handlers

CPU = torch.device("cpu")
HOME = Path(teachonce.__file__).parent
SWITCHES = {
    *("sdpa_kernel", "enable_flash_sdp", "enable_math_sdp", "enable_mem_efficient_sdp", "enable_cudnn_sdp"),
    *("set_fastpath_enabled", "preferred_linalg_library", "preferred_blas_library", "set_float32_matmul_precision"),
    *("use_deterministic_algorithms", "set_deterministic_debug_mode", "set_flush_denormal", "set_device"),
    *("set_default_dtype", "set_default_device", "set_default_tensor_type", "set_grad_enabled", "set_detect_anomaly"),
    *("set_autocast_enabled", "set_autocast_dtype", "set_num_threads", "set_num_interop_threads"),
    *("manual_seed", "manual_seed_all", "fork_rng", "set_rng_state", "set_rng_state_all", "set_state", "setstate"),
    *("seed", "seed_all", "set_seed", "FlopCounterMode", "ModuleTracker", "register_module_forward_hook"),
    *("register_module_forward_pre_hook", "eval", "train", "Accelerator", "_shared_state", "_reset_state"),
    *("catch_warnings", "filterwarnings", "simplefilter", "resetwarnings", "setLevel", "set_verbosity", "basicConfig"),
    *("putenv", "unsetenv", "chdir", "umask", "setrlimit", "setlocale", "setrecursionlimit", "setswitchinterval"),
    *("signal", "set_start_method", "set_sharing_strategy", "mallopt"),
}
FLAGS = {
    *("allow_tf32", "fp32_precision", "benchmark", "deterministic", "allow_fp16_reduced_precision_reduction"),
    *("allow_bf16_reduced_precision_reduction", "MAX_IMAGE_PIXELS", "LOAD_TRUNCATED_IMAGES", "training"),
}
NEW = "a network that this function made or was given to freeze, before anything runs it"
ALLOWED = {
    "heap.py": ({"mallopt"}, "a program calls it once, as it begins"),
    "processes/fork.py": ({"seed"}, "a process is forked, and has no threads yet"),
    "processes/command.py": ({"signal"}, "handlers of signals are put back there"),
    "engine/session.py": ({"train"}, NEW),
    "engine/rdm/fit.py": ({"train", "eval"}, NEW),
    "engine/rdm/stored.py": ({"eval"}, NEW),
    "models/frozen.py": ({"train", "eval"}, NEW),
    "models/hooked.py": ({"eval"}, NEW),
    "models/pretrained.py": ({"eval"}, NEW),
    "models/rdm.py": ({"train"}, NEW),
    "models/students.py": ({"eval"}, NEW),
    "reports/students.py": ({"eval"}, NEW),
}


def switches(tree: ast.AST) -> Iterator[str]:
    """The names of what a module's source calls, imports or sets, as far as all threads see it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from called(node)
        elif isinstance(node, ast.ImportFrom) and node.module in ("os", "signal", "random", "warnings"):
            yield from {alias.name for alias in node.names} & (SWITCHES | {"environ"})
        elif isinstance(node, ast.Constant) and node.value == "mallopt":
            yield "mallopt"
        elif isinstance(node, ast.Attribute) and node.attr == "_shared_state":
            yield node.attr
        elif isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            yield from {last(node)} & FLAGS
            yield from {last(node.value)} & {"environ"}


def called(call: ast.Call) -> set[str]:
    """The switch that a call is; none where it is a generator's own seed, or another function of such a name."""
    name, function = last(call.func), call.func
    if not isinstance(function, ast.Attribute):
        return {name} & (SWITCHES - {"train", "eval", "seed", "signal"})
    owner = last(function.value.func if isinstance(function.value, ast.Call) else function.value)
    if owner == "environ" and name in ("setdefault", "update", "pop", "clear", "popitem"):
        return {"environ"}
    if (name == "signal" and owner != "signal") or (owner, name) in (("Generator", "manual_seed"), ("worker", "train")):
        return set()
    return {name} & SWITCHES


def last(node: ast.AST) -> str:
    """`c` of `a.b.c`; empty where the source has no name there."""
    return getattr(node, "attr", getattr(node, "id", ""))


def found() -> dict[str, set[str]]:
    """File -> switches, but of the one module."""
    parsed = {path: ast.parse(path.read_text()) for path in sorted(HOME.rglob("*.py")) if path.name != "processwide.py"}
    named = {str(path.relative_to(HOME)): set(switches(tree)) for path, tree in parsed.items()}
    return {name: names for name, names in named.items() if names}


def test_nothing_else_changes_what_all_threads_share():
    assert found() == {name: names for name, (names, _) in ALLOWED.items()}


@pytest.mark.parametrize(
    "source",
    [
        "torch.backends.mha.set_fastpath_enabled(False)",
        "with sdpa_kernel(SDPBackend.MATH): pass",
        "torch.backends.cuda.matmul.allow_tf32 = True",
        "torch.backends.cudnn.benchmark = True",
        "model.eval()",
        "self.network.train()",
        "torch.manual_seed(0)",
        "np.random.seed(0)",
        "random.seed(0)",
        "os.environ['A'] = 'b'",
        "os.environ.setdefault('A', 'b')",
        "del os.environ['A']",
        "warnings.simplefilter('ignore')",
        "from warnings import catch_warnings",
        "AcceleratorState._shared_state.clear()",
    ],
)
def test_the_search_finds(source: str):
    assert list(switches(ast.parse(source)))


@pytest.mark.parametrize("source", ["torch.Generator().manual_seed(0)", "os.environ['A']", "train(data='digits')"])
def test_the_search_passes(source: str):
    assert not list(switches(ast.parse(source)))


def network() -> nn.Sequential:
    """In train mode, but for its frozen norm."""
    made = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Sequential(nn.Dropout()))
    made[1].eval()
    return made


def rounding() -> list[object]:
    """What float32 products of matrices and of convolutions are on a GPU, by both of torch's interfaces."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    kinds = (torch.backends, cudnn, matmul, cudnn.conv, cudnn.rnn)
    precision = torch.get_float32_matmul_precision()
    return [precision, matmul.allow_tf32, cudnn.allow_tf32, *(kind.fp32_precision for kind in kinds)]


@pytest.mark.parametrize("allowed", [True, False])
def test_tf32_is_set_in_matrices_and_in_convolutions(allowed: bool):
    before, own = rounding(), "tf32" if allowed else "ieee"
    assert before[2]  # torch's own choice for convolutions
    try:
        for elsewhere in ("highest", "high"):
            torch.set_float32_matmul_precision(elsewhere)  # as another library may
            torch.backends.fp32_precision = {"highest": "none", "high": "tf32"}[elsewhere]
            with processwide.allow_tf32(allowed):
                precision = "high" if allowed else "highest"  # the compiler reads it
                assert rounding() == [precision, allowed, allowed, "none", "none", own, own, own]
            assert torch.backends.cuda.matmul.allow_tf32 == (elsewhere == "high")
    finally:
        torch.backends.fp32_precision = "none"
        torch.set_float32_matmul_precision("highest")
        torch.backends.cuda.matmul.fp32_precision = torch.backends.mkldnn.matmul.fp32_precision = "none"
    assert rounding() == before


def shared() -> list[object]:
    """All that the functions change, to be compared."""
    arrays = np.random.get_state()
    return [
        torch.get_rng_state().tolist(),
        (random.getstate(), arrays[1].tolist(), arrays[2]),
        torch.get_num_threads(),
        rounding(),
        dict(os.environ),
        list(warnings.filters),
        logging.getLogger("some").level,
        signal.getsignal(signal.SIGTERM),
        len(torch.nn.modules.module._global_forward_hooks),
    ]


CHANGES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "random": lambda: processwide.random_kept(CPU),
    "seeded": lambda: processwide.seeded(3),
    "threads": lambda: processwide.limited_threads(1 + torch.get_num_threads()),
    "counting": lambda: processwide.counting({}),
    "evaluating": lambda: processwide.evaluating(network()),
    "tf32": lambda: processwide.allow_tf32(allowed=True),
    "no tf32": lambda: processwide.allow_tf32(allowed=False),
}
"""What changes how numbers are computed."""
OTHERS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "device": lambda: processwide.current(CPU),
    "environment": lambda: processwide.environment(TEACHONCE_SOME="1", PATH="nowhere"),
    "silent": lambda: processwide.silent("some"),
    "unwarned": lambda: processwide.unwarned("some"),
    "warned": lambda: processwide.warned(UserWarning),
    "handlers": lambda: handlers(lambda number, frame: None, signal.SIGTERM),
}


@pytest.mark.parametrize("name", [*sorted(CHANGES.keys() - {"evaluating"}), *OTHERS])
def test_all_is_put_back(name: str):
    before = shared()

    def work() -> None:
        with (CHANGES | OTHERS)[name]():
            if name == "random":
                processwide.seed_training(1, CPU)
                processwide.seed_host(1)
            assert name == "device" or shared() != before
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert shared() == before


def test_every_part_gets_the_mode_that_it_had():
    made = network()
    before = [part.training for part in made.modules()]
    with processwide.evaluating(made):
        assert not any(part.training for part in made.modules())
    assert [part.training for part in made.modules()] == before
    assert len(set(before)) == 2


def test_a_variable_that_somebody_has_set_stays(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TEACHONCE_SOME", "theirs")
    with processwide.environment(TEACHONCE_SOME="ours"):
        assert os.environ["TEACHONCE_SOME"] == "theirs"


def test_the_same_weights_whatever_was_drawn_before():
    drawn = []
    for before in range(2):
        random.seed(before)
        np.random.seed(before)
        torch.manual_seed(before)
        with processwide.seeded(5):
            drawn.append((random.random(), np.random.random(), torch.rand(1).item()))
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("name", CHANGES)
def test_a_thread_that_works_beside_another_is_refused(name: str):
    def change(_: None) -> None:
        with CHANGES[name]():
            pass

    with pytest.raises(RuntimeError, match="teachonce-behind"), Behind(change, depth=1) as behind:
        behind.submit(None)


def test_signals_outside_of_the_main_thread_are_somebody_elses():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def work() -> None:
        with OTHERS["handlers"]():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]

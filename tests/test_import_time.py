"""The front door opens at once: no heavy library is imported before a command needs it."""

import resource
import subprocess
import sys

import pytest

import teachonce

HEAVY = ("torch", "transformers", "datasets", "sklearn", "matplotlib", "zarr", "accelerate", "h5py", "pandas", "optuna")
LIMIT = 0.5  # seconds of the processor, the best of a few starts: a busy machine is not this package's doing
STATEMENTS = {
    "package": "import teachonce; dir(teachonce)",
    "cli": "import teachonce.cli",
    "recipe": "from teachonce.pipeline.recipe import load_recipe; load_recipe('quickstart')",
}


def best_seconds(*words: str) -> float:
    best = float("inf")
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if best < LIMIT:
            break
    return best


@pytest.mark.parametrize("what", STATEMENTS)
def test_imports_nothing_heavy(what: str):
    check = f"{STATEMENTS[what]}; import sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("words", [("-c", "import teachonce"), ("-m", "teachonce", "--help")], ids=["import", "help"])
def test_answers_at_once(words: tuple[str, ...]):
    assert best_seconds(*words) < LIMIT


def test_cache_needs_no_torch():
    check = (
        "import pkgutil, importlib, sys, teachonce.cache as c\n"
        "[importlib.import_module(f'teachonce.cache.{m.name}') for m in pkgutil.iter_modules(c.__path__)]\n"
        "print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_the_public_names_are_the_functions():
    for name in teachonce.__all__:
        assert callable(getattr(teachonce, name))
    assert set(teachonce.__all__) <= set(dir(teachonce))
    with pytest.raises(AttributeError, match="distill"):
        _ = teachonce.distill

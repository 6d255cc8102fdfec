"""A copy of the package that a test changes, and programs that run with it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import teachonce

PACKAGE = Path(teachonce.__file__).parent


def copied(home: Path) -> Path:
    """A folder with a copy of the package, of the scripts and of the pages that are generated."""
    for part in ("teachonce", "scripts"):
        shutil.copytree(PACKAGE.parent / part, home / part, ignore=shutil.ignore_patterns("__pycache__"))
    (home / "docs").mkdir()
    return home


def python(home: Path, *words: str) -> str:
    """What Python prints, run with the copy."""
    path = os.pathsep.join([str(home), str(home / "scripts")])
    environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "200", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, "-P", *words], cwd=home, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return done.stdout.decode()


def answer(home: Path, *words: str) -> Any:
    """The JSON that Python prints, run with the copy."""
    return json.loads(python(home, *words))

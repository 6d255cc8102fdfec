"""Run small inputs that once went wrong, one script each, and say which still do.

A case is a `.py` or `.sh` file that prints `-> ok` where the behaviour is right and `-> WRONG` where it is not.

    python scripts/run_cases.py FOLDER [PATTERN]
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

RUNNERS = {".py": [sys.executable], ".sh": ["sh"]}


def run(case: Path, seconds: float) -> str:
    """What a case came to: `ok`, or why not."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    command = [*RUNNERS[case.suffix], str(case)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, env=os.environ | {"PATH": path}, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no end after {seconds:.0f} s"
    wrong = [line for line in done.stdout.splitlines() if "-> WRONG" in line]
    if wrong:
        return "\n    ".join(("WRONG", *wrong))
    if "-> ok" in done.stdout:
        return "ok"
    return f"said nothing, exit {done.returncode}: {done.stderr.strip()[-300:]}"


def main() -> int:
    """Run the cases of a folder; 1 if there is none, or one is not ok."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("pattern", nargs="?", default="*", help="of the files' names")
    parser.add_argument("--seconds", type=float, default=300.0, help="the most that one may take")
    given = parser.parse_args()
    cases = sorted(path for path in given.folder.glob(given.pattern) if path.suffix in RUNNERS)
    if not cases:
        sys.stderr.write(f"no case in {given.folder} that is called {given.pattern}\n")
        return 1
    results = {}
    for case in cases:
        results[case.name] = run(case, given.seconds)
        sys.stdout.write(f"{case.name}: {results[case.name]}\n")
        sys.stdout.flush()
    return 0 if set(results.values()) == {"ok"} else 1


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.golden`: compare what the code gives now with the golden files; with --write, renew them."""

import argparse
import logging
import sys

from tests.golden.files import PARTS, differences, make, write


def main() -> int:
    """Exit code: 1 where a file differs, and none was to be written."""
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all if absent")
    parser.add_argument("--write", action="store_true", help="keep what the code gives now")
    logging.raiseExceptions = False  # handlers of libraries keep the stderr of a command that has ended
    chosen = parser.parse_args()
    if unknown := set(chosen.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    code = 0
    for part in chosen.parts or PARTS:
        made = make(part)
        found = differences(part, made)
        sys.stdout.write(found)
        if chosen.write:
            write(part, made)
        elif found:
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())

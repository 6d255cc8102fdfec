"""`python -m teachonce` and the `teachonce` script: the command line, interruptible from its first import on."""

import os
import sys


def main() -> None:
    """Run the command line of this process and exit; see `Frame.main` for the exit codes."""
    from teachonce.processes.command import heard, interrupts, leave

    try:
        with interrupts() as seen:
            try:
                from teachonce.cli import main as run

                run()
            except SystemExit:
                raise
            except BaseException as error:
                heard()
                if not seen:
                    raise
                from teachonce.cli import interrupted

                sys.exit(interrupted(sys.argv[1:], seen, error))
    finally:
        leave()


if __name__ == "__main__":
    # Python puts the working folder first on the path of `-m`: a zarr.py that lies there would be taken for the
    # library. It stays, as the last, where this package itself comes from there, and goes elsewhere.
    if not sys.flags.safe_path:
        here = sys.path.pop(0)
        if os.path.dirname(os.path.dirname(os.path.abspath(__file__))) == os.path.abspath(here):  # noqa: PTH100, PTH120
            sys.path.append(here)

    main()

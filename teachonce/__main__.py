"""`python -m teachonce`: the command line, which imports the same modules as the `teachonce` script."""

import os
import sys

if __name__ == "__main__":
    # Python puts the working folder first on the path of `-m`: a zarr.py that lies there would be taken for the
    # library. It stays, as the last, where this package itself comes from there, and goes elsewhere.
    if not sys.flags.safe_path:
        here = sys.path.pop(0)
        if os.path.dirname(os.path.dirname(os.path.abspath(__file__))) == os.path.abspath(here):  # noqa: PTH100, PTH120
            sys.path.append(here)

    from teachonce.cli import main

    main()

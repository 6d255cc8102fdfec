"""The command line: parse, call one function, render; no logic.

Heavy libraries are imported inside the commands, so that `--help` answers at once.
"""

from teachonce.cli.app import app, main

__all__ = ["app", "main"]

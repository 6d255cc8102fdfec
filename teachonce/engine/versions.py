"""The versions that results are recorded with."""

import functools
import platform
from importlib import metadata


def versions_of(*packages: str) -> dict[str, str]:
    """The versions of Python and of these packages."""
    return {"python": platform.python_version()} | {package: _version(package) for package in packages}


@functools.cache
def _version(package: str) -> str:
    return metadata.version(package)  # it parses the whole description of a package

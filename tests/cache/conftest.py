import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from storekit import HALF, Stop, build, stop_after

from teachonce.cache import Store, open_store
from tests.memory import memory_folder


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with memory_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def made() -> Iterator[Path]:
    """A sealed store of 581 rows in 10 blocks, for reading only."""
    with memory_folder() as folder:
        build(folder / "made.zarr")
        yield folder / "made.zarr"


@pytest.fixture
def store(made: Path) -> Store:
    return open_store(made)


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(made, tmp_path / "copy.zarr"))


@pytest.fixture(scope="session")
def begun() -> Iterator[Path]:
    """A store with 5 of 10 blocks, to be copied only."""
    with memory_folder() as folder:
        with pytest.raises(Stop):
            build(folder / "begun.zarr", between=stop_after(HALF - 1))
        yield folder / "begun.zarr"


@pytest.fixture
def half(begun: Path, tmp_path: Path) -> Path:
    """A copy of it, to be gone on with."""
    return Path(shutil.copytree(begun, tmp_path / "half.zarr"))

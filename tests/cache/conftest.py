import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from storekit import Stop, build, stop_after

from teachonce.cache import Store, open_store


@contextmanager
def memory_folder() -> Iterator[Path]:
    """A folder in memory where there is such a place: thousands of fsyncs are slow elsewhere, and test nothing more."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with memory_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def made() -> Iterator[Path]:
    """A sealed store of 1,797 rows in 29 blocks, for reading only."""
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


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """A store with 15 of 29 blocks."""
    with pytest.raises(Stop):
        build(tmp_path / "half.zarr", between=stop_after(14))
    return tmp_path / "half.zarr"

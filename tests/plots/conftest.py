"""Stores that are drawn, made once."""

from pathlib import Path

import pytest
from plotkit import WEIGHTS, add_rdm, make_store

from teachonce.cache import Store
from tests.cli.conftest import call

__all__ = ["call"]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A teacher and three RDMs, for reading only."""
    made = make_store(tmp_path_factory.mktemp("plots") / "s.zarr")
    for weight in WEIGHTS:
        add_rdm(made, weight)
    return made


@pytest.fixture
def bare(tmp_path: Path) -> Store:
    """A teacher alone."""
    return make_store(tmp_path / "bare.zarr")

from collections.abc import Iterator
from pathlib import Path

import pytest

from teachonce.data.quiet import quiet


@pytest.fixture(scope="session", autouse=True)
def _datasets_keep_their_files_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    import datasets

    kept = datasets.config.HF_DATASETS_CACHE
    datasets.config.HF_DATASETS_CACHE = Path(tmp_path_factory.mktemp("datasets"))
    with quiet():
        yield
    datasets.config.HF_DATASETS_CACHE = kept

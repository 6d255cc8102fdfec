"""A page that was written once, and a browser."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browserkit import ARGUMENTS
from pagekit import make_page

from teachonce.reports.html import render_html
from tests.cli.conftest import call

__all__ = ["call"]


@pytest.fixture(scope="session")
def html() -> str:
    return render_html(make_page()).decode()


@pytest.fixture(scope="session")
def written(html: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html)
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium; a machine without one skips, unless TEACHONCE_BROWSER=required says that it must not."""
    place = shutil.which("chromium")
    if place is None and os.environ.get("TEACHONCE_BROWSER") == "required":
        pytest.fail("there is no chromium, and TEACHONCE_BROWSER=required")
    if place is None:
        pytest.skip("there is no chromium; on Debian: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=place, args=list(ARGUMENTS))
        yield chromium
        chromium.close()

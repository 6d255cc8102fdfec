"""A page in a real browser, and what may be wrong with it there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
WIDTHS, SCHEMES = (390, 1440), ("light", "dark")

FAULTS = Path(__file__).with_name("faults.js").read_text()


@dataclass
class Seen:
    """What a browser told of a page."""

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def faults(self) -> list[str]:
        """What overlaps, leaves its place or is cut off; with everything that can be opened closed, and open."""
        found = self._measure()
        self.page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true })")
        return [*dict.fromkeys([*found, *self._measure(), *self.errors, *self.requests])]

    def _measure(self) -> list[str]:
        measured = self.page.evaluate(FAULTS)
        assert measured["texts"] > 0  # else nothing was looked at
        return list(measured["faults"])


@contextmanager
def opened(browser: Any, path: Path, width: int, scheme: str = "light") -> Iterator[Seen]:
    """A file in a fresh window without a network."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
    seen = Seen(context.new_page())
    seen.page.on("console", lambda message: seen.errors.append(f"console {message.type}: {message.text}"))
    seen.page.on("pageerror", lambda error: seen.errors.append(f"error: {error}"))
    seen.page.on("request", lambda request: _note(seen, request.url, path))
    try:
        seen.page.goto(path.absolute().as_uri())
        yield seen
    finally:
        context.close()


def _note(seen: Seen, url: str, path: Path) -> None:
    if url.partition("#")[0] != path.absolute().as_uri() and not url.startswith("data:"):
        seen.requests.append(f"request: {url}")

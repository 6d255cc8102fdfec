"""An audience that remembers."""

from teachonce.events import Silent


class Heard(Silent):
    """Events that are kept."""

    def __init__(self) -> None:
        self.infos: list[str] = []
        self.warnings: list[str] = []

    def info(self, text: str) -> None:
        self.infos.append(text)

    def warn(self, text: str) -> None:
        assert text.isprintable()
        self.warnings.append(text)

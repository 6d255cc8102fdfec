"""Command lines that many tests share."""

from pathlib import Path

TINY = "tests.cli.made:tiny"
_QUICK = ("--workers", 0, "--device", "cpu", "--json")


def embed_words(store: Path, data: str, *words: object, batch_size: int = 32) -> list[object]:
    blocks = ("--block-rows", 64, "--batch-size", batch_size)
    return ["embed", "--teacher", TINY, "--data", data, "--store", store, *blocks, *_QUICK, *words]


def train_words(out: Path, data: str, *words: object) -> list[object]:
    return [
        "train",
        "--data",
        data,
        "--student",
        TINY,
        "--out",
        out,
        "--epochs",
        1,
        "--batch-size",
        32,
        *_QUICK,
        *words,
    ]


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

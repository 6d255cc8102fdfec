"""How much code there is in the package, the scripts and the helpers of tests: AST nodes, lines, functions.

    python scripts/count_code.py
    python scripts/count_code.py --root . --root ../before --json counts.json

Tests themselves (`tests/**/test_*.py`) are not counted. With several roots, each is compared with the first.
"""

import argparse
import ast
import json
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

PARTS = ("teachonce", "scripts", "tests")


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Of some files."""

    nodes: int
    """All that `ast.walk` gives."""
    lines: int
    files: int
    functions: int
    median_length: float
    """Lines of a function, with its docstring; 0 without functions."""
    max_length: int
    any: int
    """How often the name `Any` is used; imports are not counted."""


def count(paths: Iterable[Path]) -> Counts:
    """Count Python files.

    Raises:
        SyntaxError: One is no Python.
    """
    texts = [path.read_text(encoding="utf-8") for path in paths]
    nodes = [node for text in texts for node in ast.walk(ast.parse(text))]
    lengths = [_length(node) for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return Counts(
        nodes=len(nodes),
        lines=sum(text.count("\n") for text in texts),
        files=len(texts),
        functions=len(lengths),
        median_length=statistics.median(lengths) if lengths else 0.0,
        max_length=max(lengths, default=0),
        any=sum(_is_any(node) for node in nodes),
    )


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _is_any(node: ast.AST) -> bool:
    return (isinstance(node, ast.Name) and node.id == "Any") or (isinstance(node, ast.Attribute) and node.attr == "Any")


def files_of(root: Path, part: str) -> list[Path]:
    """The files of a part of a checkout; of the tests the helpers alone."""
    found = sorted((root / part).rglob("*.py"))
    return [path for path in found if part != "tests" or not path.name.startswith("test_")]


def count_root(root: Path) -> dict[str, Counts]:
    """The counts of each part of a checkout, and of all together."""
    files = {part: files_of(root, part) for part in PARTS}
    every = [path for paths in files.values() for path in paths]
    return {part: count(paths) for part, paths in {**files, "all": every}.items()}


def table(found: dict[str, dict[str, Counts]]) -> str:
    """A line for each root and part; the last column is the share of the first root's nodes."""
    base = next(iter(found.values()))
    head = ("nodes", "lines", "files", "functions", "median", "longest", "Any", "of first")
    rows = [f"{'root':24} {'part':10}" + "".join(f"{name:>10}" for name in head)]
    for root, parts in found.items():
        for part, counts in parts.items():
            numbers = [f"{value:g}" if isinstance(value, float) else str(value) for value in asdict(counts).values()]
            share = f"{counts.nodes / base[part].nodes:.3f}" if base[part].nodes else "-"
            rows.append(f"{root[-24:]:24} {part:10}" + "".join(f"{text:>10}" for text in (*numbers, share)))
    return "\n".join(rows)


def main(words: Sequence[str] | None = None) -> None:
    """Print the table; with --json keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, action="append", help="a checkout; may be repeated (default: this one)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts to this file")
    chosen = parser.parse_args(words)
    roots = chosen.root or [Path(__file__).parents[1]]
    found = {str(root): count_root(root) for root in roots}
    if empty := [root for root, parts in found.items() if not parts["all"].files]:
        parser.error(f"no Python files of {', '.join(PARTS)} below {', '.join(empty)}")
    sys.stdout.write(table(found) + "\n")
    if chosen.json is not None:
        plain = {root: {part: asdict(counts) for part, counts in parts.items()} for root, parts in found.items()}
        chosen.json.write_text(json.dumps(plain, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Results that earlier versions wrote are read, and nothing of them is lost; what is not whole is refused."""

import json
import random
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from teachonce.errors import CorruptError
from teachonce.records import to_json
from teachonce.reports.gather import read_bench

RESULTS = sorted((Path(__file__).parents[2] / "docs" / "results").rglob("*.json"))
KINDS = {"bench-live", "bench-embed", "bench-rdm", "bench-step", "estimate"}


def kind_of(path: Path) -> str:
    return str(json.loads(path.read_text()).get("kind", "")).removeprefix("teachonce.")


KEPT = {path: kind for path in RESULTS if (kind := kind_of(path)) in KINDS}


def within(old: Any, new: Any, place: str) -> None:
    """All of a JSON value is in another one, which may have keys that came later."""
    if isinstance(old, dict):
        assert old.keys() <= new.keys(), place
        for key, value in old.items():
            within(value, new[key], f"{place}.{key}")
    elif isinstance(old, list):
        assert len(old) == len(new), place
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            within(one, other, f"{place}.{index}")
    else:
        assert (type(old), old) == (type(new), new), place


def test_nothing_of_an_old_result_is_lost():
    assert set(KEPT.values()) == KINDS
    for path in KEPT:
        within(json.loads(path.read_text()), to_json(read_bench(path).result), path.name)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_is_not_whole_is_refused_by_its_place(tmp_path: Path, kind: str):
    draw, path = random.Random(kind), tmp_path / "a.json"
    whole = json.loads(draw.choice([path for path in KEPT if KEPT[path] == kind]).read_text())
    path.write_text(json.dumps(whole))
    record = fields(read_bench(path).result)
    needed = {field.name for field in record if field.default is field.default_factory} - {"kind"}
    assert len(needed) >= 2
    for key in needed & whole.keys():
        others = [] if isinstance(whole[key], dict) else [{"a": []}]
        for broken in (
            {k: v for k, v in whole.items() if k != key},
            whole | {key: draw.choice([*others, [{}], True])},
        ):
            path.write_text(json.dumps(broken))
            with pytest.raises(CorruptError, match=rf"a\.json is not whole: .*{key}"):
                read_bench(path)

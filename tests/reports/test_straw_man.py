"""A live arm that is slower than it must be, or faster than it can be, is told of where the cache wins."""

from pathlib import Path
from typing import Any

import pytest

from teachonce.events import SILENT
from teachonce.reports.gather import gather
from teachonce.reports.live import arms_section
from teachonce.reports.page import Text
from teachonce.reports.verdict import caveats, judge
from tests.reports.reportkit import case, live_json, method_result


def material(path: Path, ratio: float) -> Any:
    check = {"ratio": ratio, "limit": 1.1, "within": 0.9 <= ratio <= 1.1}
    place = live_json(path / "live.json", case({"kd": method_result(live_check=check)}))
    return gather([place], store=None, events=SILENT)


def warnings(found: Any) -> list[str]:
    section = arms_section(found)
    assert section is not None
    return [block.text for block in section.blocks if isinstance(block, Text) and block.warns]


@pytest.mark.parametrize(
    ("ratio", "said", "told"),
    [(1.5, "which overestimates", "overestimated"), (0.5, "other work disturbed", "impossible"), (1.0, None, None)],
)
def test_the_page_says_before_its_numbers_what_flatters_the_cache(
    tmp_path: Path, ratio: float, said: str | None, told: str | None
):
    found = material(tmp_path, ratio)
    sentence, pays = judge(found)
    assert pays == "cached"
    assert sentence == "The verdict of the benchmark."
    assert len(caveats(found)) == (said is not None)
    assert said is None or said in caveats(found)[0]
    assert len(warnings(found)) == (told is not None)
    assert told is None or told in warnings(found)[0]

"""Parts of a teacher's checkpoint that it does without are said once, before the pass."""

from dataclasses import replace
from pathlib import Path

import pytest

from teachonce.models import Teacher
from teachonce.stages.embed import embed
from tests.stages.embedding import Heard, options, teacher


def with_unused(*parts: str) -> Teacher:
    made = teacher()
    made.info = replace(made.info, unused=parts)
    return made


@pytest.mark.parametrize(
    "part", ["classifier", "decoder", "decode_head", "text_projection", "lm_head", "bbox_predictor"]
)
def test_what_comes_after_an_encoder_is_no_warning(part: str, tmp_path: Path):
    heard = Heard()
    embed(teacher=with_unused(part), data="digits", limit=64, events=heard, **options(tmp_path / "s.zarr"))
    assert sum(part in text for text in heard.infos) == 1
    assert not any(part in text for text in heard.warnings)


@pytest.mark.parametrize("part", ["visual_projection", "fc_norm", "layernorm", "image_projection", "something_new"])
def test_what_an_embedding_may_be_meant_to_pass_is_one(part: str, tmp_path: Path):
    heard = Heard()
    given = with_unused("classifier", part)
    embed(teacher=given, data="digits", limit=64, events=heard, **options(tmp_path / "s.zarr"))
    assert sum(part in text for text in heard.warnings) == 1
    assert sum("classifier" in text for text in heard.infos) == 1


def test_where_all_is_used_nothing_is_said(tmp_path: Path):
    heard = Heard()
    embed(teacher=teacher(), data="digits", limit=64, events=heard, **options(tmp_path / "s.zarr"))
    assert not any("checkpoint" in text for text in (*heard.infos, *heard.warnings))

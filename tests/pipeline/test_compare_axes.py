"""The tables of a recipe that varies one thing at a time: seeds are paired, the base is in every axis."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from teachonce.pipeline.recipe import load_recipe

SCRIPT = Path(__file__).parents[2] / "scripts" / "compare_axes.py"
RECIPE = SCRIPT.parents[1] / "recipes" / "clip-embed-kd-cifar10.toml"


def test_every_training_is_in_a_table_beside_the_base(tmp_path: Path):
    trainings = load_recipe(RECIPE).trainings
    base = {0: 0.30, 1: 0.34, 2: 0.38}
    rows = [{"name": t.name, "top1": base[t.options.seed] + (0 if t.label == "base" else 0.01)} for t in trainings]
    (tmp_path / "runs.json").write_text(json.dumps({"comparison": rows}))
    command = [sys.executable, SCRIPT, RECIPE, tmp_path / "runs.json", "--picture", tmp_path / "axes.png"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [line.split(" | ") for line in told.splitlines() if line.startswith("| `")]
    axes = {str(t.label).partition("-")[0] for t in trainings} - {"base"}
    settings = {(t.label, t.options.student, t.options.method, str(t.options.settings)) for t in trainings}
    assert len(lines) == len(settings) - 1 + len(axes) + 2
    assert sum(line[0] == "| `method=ce`" for line in lines) == 3  # also beside those of other patches and weights
    assert sum(line[0] == "| `base`" for line in lines) == len(axes)
    for name, mean, span, between, against in lines:
        shift = 0 if name == "| `base`" else 1
        assert (mean, span) == (f"{34 + shift}.00 ± 4.00", f"{30 + shift}.00 - {38 + shift}.00")
        low, high = map(float, between.split(" - "))
        assert high - low == pytest.approx(2 * 4.302653 * 4 / 3**0.5, abs=0.11)
        assert against == ("|" if shift == 0 else "+1.00 (+1.00 to +1.00) |") or (shift == 0 and against.strip() == "|")
    assert any("ce_weight=0.1, clip_weight=0.9" in line[0] for line in lines)
    assert any("init=data/students/vit-p8" in line[0] for line in lines)
    assert (tmp_path / "axes.png").stat().st_size > 10_000

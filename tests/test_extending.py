"""docs/extending.md, done: a method in one file, a signal in two, each then works cached and live, and is listed."""

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.patched import answer, copied, python

PAGE = Path(__file__).resolve().parents[1] / "docs" / "extending.md"
TRAIN = ["train", "--data", "digits", "--limit", "200", "--student", "cnn-2", "--epochs", "2", "--batch-size", "32"]
CPU = ["--device", "cpu", "--workers", "0", "--json"]
RECIPE = """
[data]
train = "digits"
limit = 200
[run]
device = "cpu"
[teacher]
model = "cnn-2"
[store]
path = "s.zarr"
[[train]]
student = "cnn-2"
method = ["cosine", "cosine+kd"]
epochs = 1
batch_size = 32
set = {"cosine.cosine_weight" = [1.0, 2.0]}
"""
NORMS = '''
"""`norm`: the norm of the teacher's embedding (made up)."""

from torch import Tensor

from teachonce.methods.ce import labelled
from teachonce.methods.method import Method
from teachonce.methods.targets import Inputs, Outputs, Targets

__all__ = ["Norm"]


class Norm(Method):
    """Terms: `ce` and `norm`."""

    name = "norm"
    needs = frozenset({"SIGNAL"})

    def make_weights(self) -> dict[str, float]:
        return {"ce": 1.0, "norm": 0.1}

    def __call__(self, out: Outputs, targets: Targets, inputs: Inputs, step: int) -> dict[str, Tensor]:
        norm = targets["SIGNAL"].float()
        assert norm.shape == (len(inputs["label"]), 1)
        own = out["image_embedding"].float().norm(dim=1, keepdim=True)
        return {**labelled(self, out["logits"], inputs), "norm": (own - norm).abs().mean()}
'''


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.S)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with what the page adds."""
    home = copied(tmp_path_factory.mktemp("extended"))
    method, row, teacher = blocks()
    (home / "teachonce/methods/cosine.py").write_text(method)
    (home / "teachonce/methods/norm.py").write_text(NORMS.replace("SIGNAL", "embedding_norm"))
    signals, frozen = home / "teachonce/signals.py", home / "teachonce/models/frozen.py"
    code, count = re.subn(r"(    for one in \(\n)", rf"\1{textwrap.indent(row, ' ' * 8)}", signals.read_text())
    assert count == 1
    signals.write_text(code)
    old = re.compile(r"(class ClassifierTeacher.*?)    def forward.*?(?=    def head)", flags=re.S)
    code, count = old.subn(rf"\1{textwrap.indent(teacher, ' ' * 4)}\n", frozen.read_text())
    assert count == 1
    frozen.write_text(code)
    python(home, "scripts/generate.py")
    common = ["--data", "digits", "--limit", "200", "--store", "s.zarr", "--dtype", "float32", "--block-rows", "64"]
    answer(home, "-m", "teachonce", "embed", "--teacher", "cnn-2", *common, "--seed", "0", *CPU)
    return home


def losses(home: Path, method: str, *words: str) -> list[float]:
    out = home / "-".join([method, *words[:2]]).replace("/", "").strip("-")
    answer(home, "-m", "teachonce", *TRAIN, "--method", method, "--store", "s.zarr", "--out", str(out), *words, *CPU)
    lines = (out / "metrics.jsonl").read_text().splitlines()
    return [float(re.search(r'"loss": ([-\d.e]+)', line)[1]) for line in lines]


def arrays(home: Path) -> dict[str, Any]:
    return answer(home, "-m", "teachonce", "inspect", "s.zarr", "--json")["targets"]["teacher"]["arrays"]


@pytest.mark.parametrize("method", ["cosine", "norm"])
def test_cached_and_live(home: Path, method: str):
    cached, live = losses(home, method), losses(home, method, "--source", "live", "--teacher", "cnn-2")
    assert len(cached) == 2
    assert cached == pytest.approx(live, rel=1e-4)


def test_lists_help_recipe_docs_and_losses_have_the_method(home: Path):
    listed = answer(home, "-m", "teachonce", "methods", "cosine", "--store", "s.zarr", "--json")["methods"][0]
    width = arrays(home)["image_embedding"]["shape"][-1]
    assert (listed["needs"], listed["sample_bytes"]) == (["image_embedding"], 4 * width)
    assert set(listed["settings"]) == {"ce_weight", "cosine_weight", "label_smoothing"}
    assert "cosine" in python(home, "-m", "teachonce", "train", "--help")
    assert "## cosine" in (home / "docs/methods.md").read_text()
    code = "import teachonce, torch; x = torch.eye(2); print(float(teachonce.losses.cosine(x, x.flip(0))))"
    assert float(python(home, "-c", code)) == 1.0
    (home / "recipe.toml").write_text(RECIPE)
    plan = answer(home, "-m", "teachonce", "run", "recipe.toml", "--dry-run", "--json")
    names = [step["name"] for step in plan["steps"]]
    assert sum("cosine-weight=2" in name for name in names) == 2


def test_the_store_has_the_signal(home: Path):
    assert arrays(home)["embedding_norm"]["shape"] == [200, 1, 1]


def test_a_misspelt_signal_fails_where_the_method_is_declared(home: Path, tmp_path: Path):
    (tmp_path / "wrong.py").write_text(NORMS.replace("SIGNAL", "embeding_norm"))
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from teachonce.errors import InputError\n"
        "try:\n    import wrong\nexcept InputError as error:\n    print(error.mend)"
    )
    assert "embedding_norm" in python(home, "-c", code)

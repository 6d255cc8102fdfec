"""docs/recipes.md names what there is, and its examples are recipes."""

import re
from pathlib import Path

from teachonce.pipeline.recipe import load_recipe
from teachonce.pipeline.tables import DATA, REPORT, RUN, TEACHER, TUNE
from teachonce.pipeline.tune.dims import TUNABLE
from teachonce.pipeline.tune.space import DEFAULTS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "recipes.md").read_text()
HEAD = '[data]\ntrain = "digits"\n[teacher]\nmodel = "cnn-10"\n[store]\npath = "s.zarr"\n'


def test_every_key_of_the_recipes_own_tables_is_named():
    keys = {key for table in (DATA, TEACHER, RUN, REPORT, TUNE) for key in table.known}
    assert not [key for key in keys if not re.search(rf"[`.\[]{key}\b", PAGE)]


def test_every_recipe_is_named():
    assert not [path.name for path in (ROOT / "recipes").glob("*.toml") if f"`{path.name}`" not in PAGE]


def test_everything_that_can_be_searched_is_named():
    assert not [name for name in (*TUNABLE, *DEFAULTS) if f"`{name}`" not in PAGE]


def test_the_examples_are_recipes(tmp_path: Path):
    sizes = []
    for number, example in enumerate(re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)):
        path = tmp_path / f"{number}.toml"
        path.write_text(HEAD + example)
        sizes.append(len(load_recipe(path).trainings))
    assert sizes == [3 + 18, 2, 1, 6]

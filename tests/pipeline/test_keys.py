"""Every key of a recipe's tables takes the values of its option, as TOML has them, and no others."""

import math
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

from teachonce.options.embed import EmbedOptions
from teachonce.options.opt import Option, options_of
from teachonce.options.rdm import RdmOptions
from teachonce.options.train import TrainOptions
from teachonce.pipeline import tables
from teachonce.pipeline.keys import Keys

ALL: dict[str, Keys[Any]] = {
    "data": tables.DATA,
    "teacher": tables.TEACHER,
    "store": tables.STORE,
    "rdm": tables.RDM,
    "assistant": tables.ASSISTANT,
    "train": tables.TRAIN,
    "tune": tables.TUNE,
    "run": tables.RUN,
    "report": tables.REPORT,
}
EACH = [(table, key) for table, keys in ALL.items() for key in keys.known]
each = pytest.mark.parametrize(("table", "key"), EACH, ids=[f"{table}-{key}" for table, key in EACH])


def good(option: Option) -> Any:
    """A value that a recipe may give an option."""
    (kind,) = option.members
    if get_origin(kind) is Literal:
        return get_args(kind)[-1]
    if option.is_mapping:
        return {"kd.temperature": 3, "cifd.ibm": True}
    if option.item is not None:
        if option.name == "targets":  # several of them are for methods that take several
            return "a"
        return ["a.md", "b,c.html"] if option.opt.repeated else "a,b" if option.item is str else [3, 2]
    return {bool: True, int: 3, float: 0.25}.get(kind, "some") if isinstance(kind, type) else None


def bad(option: Option) -> list[Any]:
    """Values of other kinds: of those that the command line or Python would take, too."""
    (kind,) = option.members
    if option.is_mapping:
        return [3, "kd.temperature=3"]
    if option.item in (int, float):
        return ["3,2", 3, ["3"], [True], [[3]]]
    if option.item is not None:
        return [3, [3], *([] if option.opt.repeated else [["a", "b"], "a,,b"])]
    others: dict[Any, list[Any]] = {int: ["3", True, 0.5], float: ["0.3", True, math.nan, math.inf], bool: [1, "true"]}
    return [["some"], {"a": 1}, *others.get(kind, [3, True])]


@each
def test_a_key_takes_what_its_option_is(table: str, key: str):
    keys = ALL[table]
    option, value = keys.known[key], good(keys.known[key])
    given, problems = keys.read({key: value})
    assert [problem for problem in problems if not problem.endswith("is needed")] == []
    assert list(given) == [option.name]
    assert keys.raw(given) == {key: value}
    if option.name in options_of(keys.kind):
        other = "target" if option.name == "targets" else option.name  # for which it stands
        assert getattr(keys.options(given), other) == ("a" if other != option.name else given[option.name])


@each
def test_a_key_takes_nothing_else(table: str, key: str):
    keys = ALL[table]
    for value in bad(keys.known[key]):
        given, problems = keys.read({key: value})
        told = [problem for problem in problems if problem.startswith(f"{key}: ")]
        assert len(told) == 1, value
        assert given == {}
        assert repr(value) in told[0]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (TrainOptions, {"data", "out", "store", "teacher", "threads", "trust_remote_code"}),
        (EmbedOptions, {"data", "blocks", "threads", "repair"}),
        (RdmOptions, {"store", "threads", "repair"}),
    ],
)
def test_every_option_has_a_table(kind: type, names: set[str]):
    """But what the command line and [run] say alone; a new option has one."""
    found = {option.name for keys in ALL.values() if keys.kind is kind for option in keys.known.values()}
    shared = set(tables.OF_DATA) | set(tables.OF_LIVE)
    assert {name for name in options_of(kind) if name not in found | shared} == names - shared


def test_a_number_may_be_written_without_a_point():
    given, _ = tables.TRAIN.read({"student": "cnn-2", "lr": 1, "warmup-epochs": 2})
    assert (given["lr"], type(given["lr"])) == (1.0, float)


def test_unknown_and_missing_keys_are_told_with_what_is_near():
    given, problems = tables.STORE.read({"dtpe": "float16", "blocks": "0:1", "threads": 2, "views": 2})
    assert given == {"views": 2}
    assert problems[0] == "path is needed"
    assert problems[1] == "dtpe is unknown, did you mean dtype?"
    assert [problem.partition(" ")[0] for problem in problems[2:]] == ["blocks", "threads"]
    assert tables.STORE.options(given) == EmbedOptions(teacher="", data="", store=Path(), views=2)

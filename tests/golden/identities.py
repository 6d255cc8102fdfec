"""What tells runs and targets apart: with the options of a base, and with each option set to another value.

Everything is read from what the Python API writes, so that a change of the code behind it leaves this file alone.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from teachonce.errors import TeachonceError
from teachonce.events import Silent
from teachonce.stages.embed import embed
from teachonce.stages.rdm import rdm
from teachonce.stages.train import train
from tests.cli.made import encoder
from tests.cli.words import TINY
from tests.golden.masks import canonical, changes, masked
from tests.optionkit import EMBED, OF, RDM, TRAIN, TRAININGS, changed, options_of, other_value

OF_EMBED = {"embedding": "encoder", "teacher_device_map": "encoder", "image_size": "network"}
"""The teacher with which an option of `embed` is tried, where the smallest does not have it."""
LEFT_OUT = ("events", "repair", "device")
"""`device`: without one a GPU is taken where there is one, and the files hold on any machine."""


class Begun(BaseException):
    """The record of a run is written, and its first step comes."""


class _UntilSteps(Silent):
    def task(self, title: str, *, total: int, done: int = 0, unit: str = "rows") -> Any:
        if unit == "steps":
            raise Begun
        return super().task(title, total=total, done=done, unit=unit)


def identities() -> str:
    """`settings` of run.json: of the base trainings, and what each option of `train` changes in them."""
    bases = {name: _run_settings(options) for name, options in TRAININGS.items()}
    train(out="begun", **TRAIN)
    told: dict[str, Any] = {}
    for option in options_of(train, *LEFT_OUT, "out"):
        base = OF.get(option, "ce")
        given = {"init": "begun"} if option == "init" else changed(option)
        told[option] = {"base": base, **_change(_run_settings, bases[base], TRAININGS[base], given)}
    return canonical({"bases": masked(bases), "options": told})


def _run_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=".") as folder:
        out = Path(folder, "run")
        with suppress(Begun):
            train(out=out, **options, events=_UntilSteps())
        settings: dict[str, Any] = json.loads((out / "run.json").read_text())["settings"]
        return settings


def fingerprints() -> str:
    """What a target's attributes say of the options it was made with: of `embed` and of `rdm`."""
    return canonical({"embed": _of_embed(), "rdm": _of_rdm()})


def _of_embed() -> dict[str, Any]:
    quick = {**EMBED, "teacher": TINY, "image_size": None}
    bases = {"tiny": quick, "network": EMBED, "encoder": {**quick, "teacher": encoder(Path("encoder"))}}
    made = {name: _target_of_embed(options) for name, options in bases.items()}
    told: dict[str, Any] = {}
    for option in options_of(embed, *LEFT_OUT, "store"):
        base = OF_EMBED.get(option, "tiny")
        given = {option: other_value(embed, option, bases[base])}
        told[option] = {"base": base, **_change(_target_of_embed, made[base], bases[base], given)}
    return {"bases": masked(made), "options": told}


def _target_of_embed(options: Mapping[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=".") as folder:
        store = Path(folder, "s.zarr")
        embed(store=store, **options)
        return _attributes(store, options.get("name", "teacher"))


def _of_rdm() -> dict[str, Any]:
    base = {**RDM, "distortion_weight": 10.0}
    bases = {"default": _rdm_settings(base)}
    told: dict[str, Any] = {}
    for option in options_of(rdm, *LEFT_OUT, "store"):
        given = {option: 2.5 if option == "distortion_weight" else other_value(rdm, option, base)}
        told[option] = _change(_rdm_settings, bases["default"], base, given)
    return {"bases": masked({**bases, "target": _attributes(Path("s.zarr"), "rdm-10")}), "options": told}


def _rdm_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """What `rdm` keeps while it trains; with the digest of the weights it is the target's fingerprint."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        store = Path(folder, "s.zarr")
        shutil.copytree("s.zarr", store, ignore=shutil.ignore_patterns("rdm-*"))
        with suppress(Begun):
            rdm(store=store, **options, events=_UntilSteps())
        (run,) = Path(folder, "s.zarr.work").rglob("run.json")
        kept: dict[str, Any] = json.loads(run.read_text())
        return {key: kept[key] for key in ("rdms", "settings")}


def _attributes(store: Path, target: str) -> dict[str, Any]:
    """Without what the options only say in other words: digests over the whole, rows and sizes."""
    told = json.loads((store / "targets" / target / "zarr.json").read_text())["attributes"]
    made = {key: told[key] for key in ("kind", "fingerprint_fields", "settings", "arrays")}
    return {**made, "seal": told["seal"] and {"per_class": told["seal"]["per_class"]}, "sealed": told["sealed"]}


def _change(
    make: Callable[[Mapping[str, Any]], dict[str, Any]],
    before: Mapping[str, Any],
    base: Mapping[str, Any],
    given: Mapping[str, Any],
) -> dict[str, Any]:
    """What options beside those of a base change in its JSON; where they are refused, the kind of the error."""
    entry = {"given": json.loads(json.dumps(given, default=str))}
    try:
        return {**entry, "changes": changes(before, make({**base, **given}))}
    except TeachonceError as error:
        return {**entry, "refused": error.kind}

"""A store keeps the rule by which its views are resized, whichever Pillow is installed, and all that draw follow it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from embedding import Heard, interrupted, options, snapshot, teacher

import teachonce
from teachonce.cache import Store, open_store
from teachonce.data.rules import RULES, installed_rule
from teachonce.data.samples import ArraySamples
from teachonce.engine.rows import all_digests
from teachonce.engine.session import open_session
from teachonce.engine.stage_one.contents import data_attributes
from teachonce.engine.stage_one.views import stored_rule
from teachonce.errors import MismatchError
from teachonce.events import SILENT
from teachonce.options.evaluate import EvaluateOptions
from teachonce.options.train import TrainOptions
from teachonce.stages.embed import embed
from teachonce.stages.evaluate import evaluate_run
from teachonce.stages.train import train
from teachonce.stages.verify import verify
from teachonce.types import InputSpec

ROWS = 72
TALL, SQUARE = (90, 40), (40, 40)
OTHERS = ["early", "pillow-10"] if installed_rule() == "pillow-13" else ["pillow-13"]
ASKERS = ("teachonce.engine.stage_one.views", "teachonce.engine.stage_one.resizing", "teachonce.data.resident")


def data(size: tuple[int, int] = TALL) -> ArraySamples:
    images = np.random.default_rng(0).integers(0, 256, (ROWS, *size, 3), np.uint8)
    return ArraySamples(images, np.arange(ROWS) % 10)


def installed(patch: pytest.MonkeyPatch, rule: str) -> None:
    """As if the installed Pillow followed another rule."""
    for module in ASKERS:
        patch.setattr(f"{module}.installed_rule", lambda: rule)


def made(path: Path, rule: str, samples: ArraySamples, **changes: Any) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        installed(patch, rule)
        embed(teacher=teacher(), data=samples, **options(path, dtype="float32", **changes))
    return path


@pytest.fixture(params=OTHERS)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    return made(tmp_path / "s.zarr", request.param, data()), request.param


def seen(rule: str, spec: InputSpec) -> torch.Tensor:
    """What a model sees of all rows."""
    from teachonce.data.render import render

    return render(torch.from_numpy(data().images), np.tile(WHOLE, (ROWS, 1)), spec, rule=rule)


WHOLE = np.array([[0, 0, 1, 1, 0, 0]], np.float32)


def test_a_new_store_has_the_rule_of_the_installed_pillow(tmp_path: Path):
    embed(teacher=teacher(), data=data(), **options(tmp_path / "s.zarr"))
    store = open_store(tmp_path / "s.zarr")
    assert store.spec.views_spec["resizing"] == installed_rule() == stored_rule(store)
    assert store.spec.data["decoding"] == {"transparency": "on white", "grey_above_8_bits": "scaled to 8 bits"}


def test_a_store_that_names_no_rule_is_early(tmp_path: Path):
    store = open_store(made(tmp_path / "s.zarr", "early", data()))
    assert "resizing" not in store.spec.views_spec
    assert stored_rule(store) == "early"


def test_a_rule_of_a_later_version_is_refused(old: tuple[Path, str]):
    store = open_store(old[0])
    later = Store(store.path, replace(store.spec, views_spec={**store.spec.views_spec, "resizing": "pillow-99"}))
    with pytest.raises(MismatchError):
        stored_rule(later)


def test_the_join_draws_by_the_rule_of_the_store(old: tuple[Path, str]):
    path, rule = old
    cached, spec = teachonce.CachedTeacher(path, device="cpu"), teacher().info.input
    got = torch.stack([cached.view(data().images[row], row) for row in range(ROWS)])
    assert torch.equal(got, seen(rule, spec))
    assert not torch.equal(got, seen(installed_rule(), spec))
    with torch.inference_mode():
        again = teacher()(got)["image_embedding"]
    torch.testing.assert_close(cached(range(ROWS))["image_embedding"], again, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("source", ["cached", "live"])
def test_training_shows_the_view_of_the_store_to_student_and_live_teacher(
    old: tuple[Path, str], source: str, tmp_path: Path
):
    path, rule = old
    given = teacher() if source == "live" else None
    config = TrainOptions(data="digits",
        student="cnn-2", out=tmp_path / "run", method="clip-teacher-kd", store=path, source=source, image_size=24,
        teacher="cnn-2" if given else None, batch_size=8, device="cpu", workers=0, epochs=1,
    )  # fmt: skip
    samples = data()
    session = open_session(config, samples, open_store(path), digests=all_digests(samples, SILENT))
    for batch in session.feed.batches(session.loop.batches(0), 0):
        rows = batch.rows.device
        assert torch.equal(batch.inputs["image"], seen(rule, session.stepper.student.input)[rows])
        if source == "live":
            assert torch.equal(batch.teacher, seen(rule, session.feed.teacher)[rows])


def test_verify_runs_the_teacher_on_the_views_of_the_store(old: tuple[Path, str]):
    result = verify(store=old[0], teacher=teacher(), data=data(), device="cpu", workers=0, sample=ROWS)
    assert result.ok
    assert result.teacher is not None
    assert result.teacher.largest < 1e-5


def test_a_second_target_is_refused_where_the_processor_would_give_other_pixels(old: tuple[Path, str]):
    before = snapshot(old[0])
    with pytest.raises(MismatchError) as caught:
        embed(teacher=teacher(1), data=data(), **options(old[0], name="other"))
    assert "Install 'pillow" in caught.value.mend
    assert snapshot(old[0]) == before


@pytest.mark.parametrize("rule", OTHERS)
def test_a_pass_that_was_interrupted_is_not_gone_on_with(rule: str, tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path / "s.zarr", rule, data(), events=Heard(ROWS, interrupted))
    with pytest.raises(MismatchError):
        embed(teacher=teacher(), data=data(), **options(tmp_path / "s.zarr", dtype="float32"))
    assert made(tmp_path / "s.zarr", rule, data()).exists()


def test_what_was_sealed_is_mended_by_the_rule_of_the_store(old: tuple[Path, str]):
    before = snapshot(old[0])
    next((old[0] / "journal" / "teacher").glob("*.json")).unlink()
    embed(teacher=teacher(), data=data(), **options(old[0], dtype="float32", repair=True))
    assert snapshot(old[0]) == before


def test_rows_beyond_the_first_look_are_refused_as_they_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    images = [
        *np.zeros((ROWS - 2, *SQUARE, 3), np.uint8),
        np.zeros((*TALL, 3), np.uint8),
        np.zeros((*SQUARE, 3), np.uint8),
    ]
    samples = ArraySamples(images, np.arange(ROWS) % 10)
    path = made(tmp_path / "s.zarr", OTHERS[-1], samples)
    monkeypatch.setattr("teachonce.engine.stage_one.resizing._LOOKED_AT", 2)
    with pytest.raises(MismatchError, match=f"row {ROWS - 2} "):
        embed(teacher=teacher(1), data=samples, **options(path, name="other"))


@pytest.mark.parametrize("rule", OTHERS)
def test_a_store_is_gone_on_with_where_no_pixel_differs(rule: str, tmp_path: Path):
    path, heard = made(tmp_path / "s.zarr", rule, data(SQUARE)), Heard()
    done = embed(teacher=teacher(1), data=data(SQUARE), events=heard, **options(path, name="other"))
    assert done.sealed
    assert any(rule in text for text in heard.infos)


def undecoded(samples: ArraySamples) -> dict[str, Any]:
    """What a store said of its data before it said how images become RGB."""
    return {key: value for key, value in data_attributes(samples).items() if key != "decoding"}


@pytest.mark.parametrize("rule", RULES)
def test_the_root_of_a_store_of_any_rule_is_written_again(rule: str, tmp_path: Path):
    with pytest.MonkeyPatch.context() as patch:
        if rule == "early":
            patch.setattr("teachonce.engine.stage_one.job.data_attributes", undecoded)
        path = made(tmp_path / "s.zarr", rule, data(SQUARE))
    before = snapshot(path)
    (path / "zarr.json").unlink()
    embed(teacher=teacher(), data=data(SQUARE), **options(path, dtype="float32", repair=True))
    assert snapshot(path) == before


def test_a_run_keeps_the_rule_it_began_with(tmp_path: Path):
    """Evaluated and resumed under another Pillow."""
    settings: dict[str, Any] = {
        "data": data(), "student": "cnn-2", "out": tmp_path / "run", "image_size": 16, "epochs": 1, "batch_size": 8,
        "device": "cpu", "workers": 0, "val_fraction": 0.2,
    }  # fmt: skip
    options = EvaluateOptions(run=tmp_path / "run", device="cpu", workers=0)
    with pytest.MonkeyPatch.context() as patch:
        installed(patch, OTHERS[-1])
        train(**settings)
        expected = evaluate_run(options, data())
    run = tmp_path / "run" / "run.json"
    value = json.loads(run.read_text())
    assert value["resizing"] != installed_rule()
    assert evaluate_run(options, data()) == expected
    run.write_text(json.dumps(value | {"resizing": installed_rule()}))
    assert evaluate_run(options, data()).loss != expected.loss


def test_a_run_that_was_trained_from_the_store_can_be_run_over_it(old: tuple[Path, str], tmp_path: Path):
    path, run = old[0], tmp_path / "run"
    train(data=data(), store=path, student="cnn-2", method="clip-teacher-kd", image_size=24, batch_size=8, epochs=1,
          device="cpu", workers=0, out=run)  # fmt: skip
    given = options(path, name="assistant")
    embed(teacher=run, data=data(), **given)
    assert verify(store=path, teacher=run, target="assistant", data=data(), device="cpu", workers=0, sample=ROWS).ok
    told = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**told, "resizing": installed_rule()}))
    with pytest.raises(MismatchError, match="other pixels"):
        embed(teacher=run, data=data(), **given | {"name": "other"})

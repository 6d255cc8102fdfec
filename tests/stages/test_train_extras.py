"""Training with `cifd` and `dgkd`: from several targets of one store, live, resumed, and what is refused."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from teachonce.cache.store import Store, open_store
from teachonce.cache.writer import TargetWriter
from teachonce.engine.cached import CachedTargets
from teachonce.engine.cached_target import CachedTarget
from teachonce.engine.metrics import read_metrics
from teachonce.engine.runfile import read_run
from teachonce.engine.session import Session
from teachonce.engine.step import Stepper
from teachonce.engine.targets import BatchRows
from teachonce.errors import InputError, MismatchError, StoreMissingError, TeachonceError, UnsealedError
from teachonce.models.students import load_student
from teachonce.signals import needs
from teachonce.stages import train as stage
from teachonce.stages.embed import embed
from teachonce.types import ArraySpec
from tests.alike import assert_alike
from tests.engine.enginekit import BLOCK, digits, make_store, make_teacher
from tests.engine.rdmkit import add_rdm
from tests.stages import trainkit
from tests.stages.trainkit import STUDENT, Heard, assert_trained_alike, out_of_reach, quick

VIT = "vit:patch=8,width=32,layers=1,heads=2"
RDMS = ("rdm-10", "rdm-1")
ASSISTANTS = ("assistant-8", "assistant-6")
LIVE = {"source": "live", "teacher": "cnn-2"}
EMBED: dict[str, Any] = {"block_rows": BLOCK, "batch_size": BLOCK, "device": "cpu", "workers": 0}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained teacher, a store of two views with RDMs (one with logits alone) and assistants."""
    home = tmp_path_factory.mktemp("extras")
    quick(home / "teacher", student=VIT, epochs=3, lr=3e-3)
    made: dict[str, Any] = {"store": home / "s.zarr", "views": 2, "augment": "crop=0.6", **EMBED}
    embed(teacher=str(home / "teacher"), data=digits(), **made)
    store = open_store(home / "s.zarr")
    for seed, name in enumerate(RDMS):
        add_rdm(store, name, seed=seed)
    add_rdm(store, "rdm-0.5", preset="cnn")
    for seed, name in enumerate(ASSISTANTS):
        embed(teacher=make_teacher(VIT, seed=seed), data=digits(), name=name, **made)
    return home


@pytest.fixture
def store(home: Path) -> Store:
    return open_store(home / "s.zarr")


@pytest.fixture(scope="module")
def plain(home: Path) -> Path:
    """A run of `cifd` with nothing beside the defaults."""
    cifd(home / "plain", home)
    return home / "plain"


@pytest.fixture(scope="module")
def short(home: Path) -> Path:
    """The same for one epoch."""
    cifd(home / "short", home, epochs=1)
    return home / "short"


def cifd(out: Path, home: Path, **options: Any) -> Any:
    return quick(out, **({"method": "cifd", "store": home / "s.zarr", "rdm": RDMS} | options))


def weights(run: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(run / "checkpoints" / "last" / "model.safetensors")


def test_cifd_from_the_cache(home: Path, tmp_path: Path):
    heard = Heard()
    with out_of_reach(home / "teacher"):
        result = cifd(tmp_path / "run", home, epochs=4, events=heard)
    assert (result.method, result.source) == ("cifd", "cached")
    lines = read_metrics(tmp_path / "run")
    names = {"ce", "kl", "kl_rdm-10", "kl_rdm-1", "embedding", "embedding_rdm-10", "embedding_rdm-1", "rate"}
    assert {key.removeprefix("loss_") for key in lines[0].losses if key.startswith("loss_")} == names
    assert lines[-1].losses["loss"] < lines[0].losses["loss"]
    assert any("(16) are projected to the teacher's width (32)" in info for info in heard.infos)
    assert read_run(tmp_path / "run").settings.store.rdm.names == "rdm-10,rdm-1"


def test_dgkd_from_the_cache(home: Path, tmp_path: Path):
    cifd(tmp_path / "run", home, method="dgkd", rdm=(), assistants=ASSISTANTS, epochs=4)
    lines = read_metrics(tmp_path / "run")
    assert {"loss_ce", "loss_kl", "loss_kl_assistant-8", "loss_kl_assistant-6"} <= lines[0].losses.keys()
    assert lines[-1].losses["loss"] < lines[0].losses["loss"]
    assert read_run(tmp_path / "run").settings.store.assistants.names == "assistant-8,assistant-6"


def test_takd_is_kd_on_another_target(home: Path, tmp_path: Path):
    quick(tmp_path / "run", method="kd", store=home / "s.zarr", target="assistant-6")
    store = open_store(home / "s.zarr")
    assert read_run(tmp_path / "run").settings.store.target == store.record("assistant-6").fingerprint


@pytest.mark.parametrize("augment", [None, "crop=0.5,flip"])
def test_cached_and_live_train_alike(home: Path, plain: Path, tmp_path: Path, augment: str | None):
    cached = plain if augment is None else tmp_path / "cached"
    assert cifd(cached, home, student_augment=augment).reused == (augment is None)
    cifd(tmp_path / "live", home, student_augment=augment, source="live", teacher=str(home / "teacher"))
    assert_trained_alike(cached, tmp_path / "live", rel=5e-3, abs=1e-4)


def test_the_student_is_kept_without_its_bottleneck(plain: Path, tmp_path: Path):
    quick(tmp_path / "ce")
    runs = (plain, tmp_path / "ce")
    for read in (weights, lambda run: load_student(run).state_dict()):
        ours, theirs = ({name: value.shape for name, value in read(run).items()} for run in runs)
        assert ours == theirs


def test_noise_in_training_alone(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The head sees noise in every step; validation of the same weights is the same twice."""
    kept: list[Session] = []
    real = stage.open_session
    monkeypatch.setattr(stage, "open_session", lambda *args, **more: kept.append(real(*args, **more)) or kept[0])
    cifd(tmp_path / "run", home, epochs=1)
    loop, stepper = kept[0].loop, kept[0].stepper
    first, second = (loop.trainer.validation(stepper) for _ in range(2))
    assert first == second
    images = next(iter(kept[0].feed.batches(loop.batches(0), 0))).inputs["image"]
    stepper.student.eval()  # its own dropout is off: what is left is the bottleneck's noise
    first, again = (stepper._forward({"image": images}, stepper._noise(len(images))) for _ in range(2))
    stepper.done += 1
    second = stepper._forward({"image": images}, stepper._noise(len(images)))
    assert torch.equal(first["image_embedding"], again["image_embedding"])
    assert not torch.equal(first["image_embedding"], second["image_embedding"])
    assert not torch.equal(first["logits"], second["logits"])
    assert (first["image_embedding"] - stepper.student.embed(images)).abs().max() <= 0.5
    assert_alike(first["logits"], stepper.student.head(first["image_embedding"]))
    decayed = {id(p) for group in stepper.optimizer.param_groups if group["weight_decay"] for p in group["params"]}
    assert not decayed & {id(p) for p in stepper.method.bottleneck.parameters()}
    assert id(stepper.method.modules["projector"].weight) in decayed


@pytest.mark.parametrize("form", ["bernoulli", "exactly-one", "sample"])
def test_an_interrupted_run_goes_on_to_the_same_bits(home: Path, tmp_path: Path, form: str):
    """Noise and dropout come from generators that are part of the checkpoint."""
    options = {"settings": {"dropout_form": form}, "student": f"{STUDENT},dropout=0.2", "epochs": 3}
    cifd(tmp_path / "whole", home, **options)
    real, steps = Stepper.step, iter(range(8))

    def step(self: Stepper, *args: Any) -> Any:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return real(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stepper, "step", step)
        with pytest.raises(KeyboardInterrupt):
            cifd(tmp_path / "killed", home, **options)
    torch.manual_seed(99)
    heard = Heard()
    cifd(tmp_path / "killed", home, **options, events=heard)
    assert any("resumes after epoch 1 of 3" in info for info in heard.infos)
    for part in ("model", "method", "optimizer", "random"):
        files = [tmp_path / run / "checkpoints" / "last" / f"{part}.safetensors" for run in ("whole", "killed")]
        assert files[0].read_bytes() == files[1].read_bytes(), part
    whole, killed = ([line.losses["loss"] for line in read_metrics(tmp_path / run)] for run in ("whole", "killed"))
    assert whole == killed


def test_logits_from_the_heads_are_the_stored_ones(home: Path, plain: Path, tmp_path: Path, store: Store):
    rows = np.arange(200)
    both = [
        CachedTargets(
            store, {"rdm-10": needs("logits")}, device=torch.device("cpu"), budget_bytes=1 << 30, from_head=head
        ).fetch(BatchRows(rows, torch.from_numpy(rows)), 1)
        for head in ((), ("rdm-10",))
    ]
    stored, computed = (targets["logits"] for targets in both)
    assert computed.dtype == torch.float32
    assert set(both[1]) == {("rdm-10", "logits")}
    assert not torch.equal(stored.float(), computed)
    # a logit is a sum of 32 rounded features, whose weights are below 1/sqrt(32)
    largest = max(float(store.target("rdm-10").all("image_embedding", 1).astype(np.float32).__abs__().max()), 1.0)
    assert (stored.float() - computed).abs().max() < 32 * 2**-11 * largest / 32**0.5 + 2**-11 * computed.abs().max()
    cifd(tmp_path / "head", home, rdm_logits="head")
    for left, right in zip(read_metrics(plain), read_metrics(tmp_path / "head"), strict=True):
        assert left.losses["loss_kl_rdm-10"] == pytest.approx(right.losses["loss_kl_rdm-10"], rel=2e-3)
        assert left.losses["loss"] != right.losses["loss"]


def test_an_rdm_of_logits_alone(home: Path, tmp_path: Path):
    heard = Heard()
    cifd(tmp_path / "run", home, rdm=["rdm-10", "rdm-0.5"], events=heard)
    lines = read_metrics(tmp_path / "run")
    assert "loss_kl_rdm-0.5" in lines[0].losses
    assert "loss_embedding_rdm-0.5" not in lines[0].losses
    assert any("rdm-0.5: no embeddings" in info for info in heard.infos)


def test_without_rdms_and_without_the_bottleneck(home: Path, tmp_path: Path):
    """KD with an embedding term: with neither of the terms' weights it is `kd` to the last bit."""
    settings = {"ibm": "false", "embedding_weight": 0, "temperature": 4, "ce_weight": 0.1, "kl_weight": 0.9}
    cifd(tmp_path / "cifd", home, rdm=(), settings=settings)
    quick(tmp_path / "kd", method="kd", store=home / "s.zarr")
    ours, theirs = weights(tmp_path / "cifd"), weights(tmp_path / "kd")
    assert all(torch.allclose(value, theirs[name], atol=1e-5) for name, value in ours.items())
    assert not (tmp_path / "cifd" / "checkpoints" / "last" / "method.safetensors").stat().st_size > 100


def test_streamed_and_resident_are_the_same_bits(
    home: Path, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for place in ("teachonce.data.resident.host_budget", "teachonce.engine.parts.device_budget"):
        monkeypatch.setattr(place, lambda *_: 0)
    cifd(tmp_path / "streamed", home)
    kept, streamed = (run / "best" / "model.safetensors" for run in (plain, tmp_path / "streamed"))
    assert kept.read_bytes() == streamed.read_bytes()


def test_the_view_of_the_epoch_is_read_of_every_target(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[int] = []
    real = CachedTarget.read

    def read(self: CachedTarget, rows: Any, view: int) -> Any:
        seen.append(view)
        return real(self, rows, view)

    monkeypatch.setattr("teachonce.engine.parts.device_budget", lambda _: 0)
    monkeypatch.setattr(CachedTarget, "read", read)
    cifd(tmp_path / "run", home, epochs=3)
    of_an_epoch = len(seen) // 3
    assert seen == [0] * of_an_epoch + [1] * of_an_epoch + [0] * of_an_epoch
    assert of_an_epoch % 3 == 0 < of_an_epoch  # each batch of three targets


def test_failed_rows_of_an_rdm_are_left_out(home: Path, tmp_path: Path, store: Store):
    add_rdm(store, "rdm-7", failed=(3, 70, 71))
    heard = Heard()
    result = cifd(tmp_path / "run", home, rdm=["rdm-10", "rdm-7"], events=heard)
    assert result.train_rows + result.val_rows == 197
    assert any("3 rows are left out" in warning for warning in heard.warnings)


def test_compiled_is_the_same(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    settings = {"kd_dropout": 0}
    cifd(tmp_path / "plain", home, settings=settings)
    torch._dynamo.reset()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    cifd(tmp_path / "compiled", home, settings=settings, compile=True)
    plain, compiled = (read_metrics(tmp_path / name)[-1].losses["loss"] for name in ("plain", "compiled"))
    assert compiled == pytest.approx(plain, rel=1e-3)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"rdm": ()}, "no effect without --rdm"),
        ({"settings": {"kl_weight": 0}}, "reads no logits"),
        ({"source": "live"}, "the RDMs run live"),
    ],
)
def test_heads_that_nobody_asks(home: Path, tmp_path: Path, options: dict[str, Any], told: str):
    heard = Heard()
    teacher = {"teacher": str(home / "teacher")} if "source" in options else {}
    cifd(tmp_path / "run", home, **options, **teacher, rdm_logits="head", epochs=1, events=heard)
    assert any(told in warning for warning in heard.warnings)


def test_names_in_one_text(home: Path, short: Path):
    assert all(cifd(short, home, rdm=names, epochs=1).reused for names in ("rdm-10, rdm-1", ["rdm-10", "rdm-1"]))


class TestOtherRuns:
    """A run is one of its RDMs."""

    @pytest.mark.parametrize(
        ("changed", "told"),
        [
            ({"rdm": ("rdm-1", "rdm-10")}, "store.rdm.names rdm-10,rdm-1, got rdm-1,rdm-10"),
            ({"rdm": ("rdm-10",)}, "store.rdm.names rdm-10,rdm-1, got rdm-10"),
            ({"rdm": ()}, "store.rdm"),
            ({"rdm_logits": "head"}, "store.rdm.logits stored, got head"),
            ({"settings": {"kd_dropout": 0.5}}, "settings.kd_dropout 0.25, got 0.5"),
        ],
    )
    def test_are_refused_in_the_same_folder(self, home: Path, short: Path, changed: dict[str, Any], told: str):
        with pytest.raises(MismatchError) as caught:
            cifd(short, home, epochs=1, **changed)
        assert told in caught.value.message

    def test_and_a_retrained_rdm_is_another(self, tmp_path: Path):
        store = make_store(tmp_path / "s.zarr")
        add_rdm(store, "rdm-10")
        cifd(tmp_path / "run", tmp_path, rdm=["rdm-10"], epochs=1)
        for folder in ("targets", "journal", "classes"):
            shutil.rmtree(store.path / folder / "rdm-10")
        add_rdm(store, "rdm-10", seed=5)
        with pytest.raises(MismatchError, match=r"store\.rdm\.rdm-10\.target"):
            cifd(tmp_path / "run", tmp_path, rdm=["rdm-10"], epochs=1)


def refused(home: Path, kind: type[TeachonceError], **options: Any) -> TeachonceError:
    """The error of a training with `cifd` and the store, unless options say otherwise."""
    return trainkit.refused(home / "refused", kind, **({"method": "cifd", "store": home / "s.zarr"} | options))


class TestRefused:
    """One line with the mend, and nothing written."""

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"method": "kd"}, "method kd takes no --rdm, got rdm-10, rdm-1"),
            ({"method": "cfid"}, "no method 'cfid'"),
            ({"method": "dgkd", "assistants": ASSISTANTS}, "method dgkd takes no --rdm"),
            ({"assistants": ASSISTANTS}, "method cifd takes no --assistants"),
            ({"method": "dgkd", "rdm": ()}, "method dgkd needs assistants"),
            ({"rdm": ("rdm-10", "rdm-10")}, "rdm-10 is given twice"),
            ({"rdm": ("rdm-10", "teacher")}, "'teacher' is given twice"),
            ({"rdm_logits": "heads"}, "rdm_logits: expected 'stored' or 'head', got 'heads'"),
            ({"store": None, **LIVE}, "RDMs are read from a store"),
            ({"method": "dgkd", "rdm": (), "assistants": ASSISTANTS, **LIVE}, "reads its assistants from a store"),
        ],
    )
    def test_options(self, home: Path, options: dict[str, Any], told: str):
        assert told in refused(home, InputError, **({"rdm": RDMS} | options)).message

    def test_a_missing_rdm_and_the_command_that_makes_it(self, home: Path):
        error = refused(home, StoreMissingError, rdm=["rdm-5000"])
        assert "no target 'rdm-5000': it has assistant-6" in error.message
        assert f"`teachonce rdm --store {home / 's.zarr'} --distortion-weight 5000`" in error.mend
        error = refused(home, StoreMissingError, rdm=["rmd-10"], target="teacher")
        assert error.mend.startswith("Did you mean rdm-10? ")
        assert "--distortion-weight R`" in error.mend
        error = refused(home, StoreMissingError, rdm=["rdm-2"], target="assistant-8")
        assert "--target assistant-8 --distortion-weight 2`" in error.mend

    def test_a_missing_assistant(self, home: Path):
        error = refused(home, StoreMissingError, method="dgkd", assistants=["assistant-4"])
        assert error.mend.startswith("Did you mean assistant-")
        assert "teachonce embed --teacher RUN" in error.mend
        assert "--name assistant-4`" in error.mend

    def test_an_rdm_of_another_parent(self, home: Path, store: Store):
        error = refused(home, MismatchError, rdm=["rdm-10"], target="assistant-8")
        assert "rdm-10 was trained on target 'teacher', and this training's is 'assistant-8'" in error.message
        assert "--target teacher" in error.mend
        assert "--target assistant-8 --distortion-weight R`" in error.mend  # rdm-10 is there already
        add_rdm(store, "rdm-3", fingerprint="of another teacher of the same name")
        error = refused(home, MismatchError, rdm=["rdm-3"])
        assert "this training's is another of that name" in error.message
        assert "remove targets/rdm-3, journal/rdm-3 and classes/rdm-3 of the store, then `teachonce rdm" in error.mend
        refused(home, MismatchError, rdm=["rdm-3"], source="live", teacher=str(home / "teacher"))

    def test_another_live_teacher_than_the_rdms_are_of(self, home: Path, tmp_path: Path):
        quick(tmp_path / "other", student=VIT, epochs=1, seed=3)
        live = {"source": "live", "teacher": str(tmp_path / "other")}
        error = refused(home, MismatchError, **live, rdm=["rdm-10"])
        assert "other weights than the one that made target 'teacher', on which the RDMs were trained" in error.message
        cifd(tmp_path / "run", home, **live, rdm=())  # a warning will do

    def test_what_is_no_rdm(self, home: Path):
        assert "is not an RDM" in refused(home, MismatchError, rdm=["assistant-8"]).message

    def test_no_head_to_compute_logits_with(self, home: Path):
        error = refused(home, StoreMissingError, rdm=["rdm-0.5"], rdm_logits="head")
        assert "keeps no head" in error.message
        assert "--rdm-logits" in error.mend

    def test_an_rdm_without_logits(self, home: Path, tmp_path: Path, store: Store):
        add_rdm(store, "rdm-2.5", classes=None)
        error = refused(home, StoreMissingError, rdm=["rdm-2.5"])
        assert "needs logits, target 'rdm-2.5' has image_embedding" in error.message
        result = cifd(tmp_path / "run", home, rdm=["rdm-2.5"], settings={"kl_weight": 0})
        assert result.epochs == 2

    def test_an_unfinished_rdm(self, tmp_path: Path):
        store = make_store(tmp_path / "s.zarr")
        spec = {"logits": ArraySpec(shape=(10,), dtype="float16")}
        with TargetWriter(store, "rdm-4", kind="rdm", fingerprint={}, settings={}, info={}, arrays=spec):
            pass
        error = refused(tmp_path, UnsealedError, rdm=["rdm-4"])
        assert "0 of 4 blocks are done" in error.message
        assert "teachonce rdm" in error.mend

    def test_an_assistant_of_other_classes(self, tmp_path: Path):
        store = make_store(tmp_path / "s.zarr")
        teacher = make_teacher(VIT, classes=7)
        embed(teacher=teacher, data=digits(), store=store.path, name="assistant-7", **EMBED)
        error = refused(tmp_path, MismatchError, method="dgkd", assistants=["assistant-7"])
        assert "target 'assistant-7' has 7 classes, the data has 10" in error.message

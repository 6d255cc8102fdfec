"""The hub from where we are: errors of one line, quiet, and one commit for all files. No test reaches the network."""

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import tiny_models as tiny
from huggingface_hub.errors import OfflineModeIsEnabled, RepositoryNotFoundError, RevisionNotFoundError

from teachonce.errors import ModelError
from teachonce.models import load_teacher
from teachonce.models.hub import loading, locate, quiet


def answer(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def model_info(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)


def hub_error(kind: type[Exception]) -> Exception:
    error = kind.__new__(kind)
    Exception.__init__(error, "404 Client Error\n\nRepository Not Found")
    return error


def test_a_name_that_the_hub_does_not_know(monkeypatch: pytest.MonkeyPatch):
    answer(monkeypatch, hub_error(RepositoryNotFoundError))
    with pytest.raises(ModelError, match="no folder 'google/vit-bas', and the hub has no model of that name") as caught:
        load_teacher("google/vit-bas")
    assert "Check the spelling" in caught.value.mend
    assert "\n" not in str(caught.value)


def test_a_revision_that_is_not_there(monkeypatch: pytest.MonkeyPatch):
    answer(monkeypatch, hub_error(RevisionNotFoundError))
    with pytest.raises(ModelError, match="'google/vit' has no revision 'v9'"):
        load_teacher("google/vit", revision="v9")


@pytest.mark.parametrize("error", [OSError("Name or service not known"), OfflineModeIsEnabled("offline")])
def test_no_network(monkeypatch: pytest.MonkeyPatch, error: Exception):
    answer(monkeypatch, error)
    with pytest.raises(ModelError, match="no folder 'nobody/nothing', and the hub cannot be reached") as caught:
        load_teacher("nobody/nothing")
    assert "connect to the network" in caught.value.mend


@pytest.mark.parametrize("spec", ["/no/such/folder", "./here", "a/b/c"])
def test_paths_are_not_asked_of_the_hub(spec: str):
    with pytest.raises(ModelError, match="no folder") as caught:
        load_teacher(spec)
    assert "OWNER/NAME" in caught.value.mend


def test_what_is_no_name_at_all(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ModelError, match="neither a folder nor a hub id"):
        load_teacher("two words/and more")


def test_without_network_the_local_copy_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """As huggingface_hub lays it out: refs name a commit, snapshots hold its files."""
    cached = tmp_path / "models--owner--tiny"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("0" * 40)
    tiny.classifier(cached / "snapshots" / ("0" * 40), "resnet")
    answer(monkeypatch, OSError("Name or service not known"))
    for module in ("huggingface_hub.constants", "transformers.utils.hub"):
        for name in ("HF_HUB_CACHE", "TRANSFORMERS_CACHE"):
            monkeypatch.setattr(f"{module}.{name}", str(tmp_path), raising=False)
    teacher = load_teacher("owner/tiny")
    assert teacher.info.classes == 3
    assert teacher.info.name == "owner/tiny"


def test_every_file_is_of_one_commit(monkeypatch: pytest.MonkeyPatch):
    class Info:
        sha = "abc123"

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: Info())
    assert locate("owner/name", revision="main")["revision"] == "abc123"


def test_quiet_puts_back_what_it_found(caplog: pytest.LogCaptureFixture):
    import transformers.utils.logging as library
    from huggingface_hub.utils import are_progress_bars_disabled

    before = library.get_verbosity(), library.is_progress_bar_enabled(), are_progress_bars_disabled()
    level = logging.getLogger("huggingface_hub").level
    with quiet():
        warnings.warn("loud", stacklevel=1)
        library.get_logger("transformers.models").warning("loud")
        assert not library.is_progress_bar_enabled()
        assert are_progress_bars_disabled()
    assert before == (library.get_verbosity(), library.is_progress_bar_enabled(), are_progress_bars_disabled())
    assert logging.getLogger("huggingface_hub").level == level
    assert "loud" not in caplog.text


def test_loading_a_teacher_says_nothing(capfd: pytest.CaptureFixture[str], tmp_path: Path):
    folder = tiny.encoder(tmp_path, "clip")
    capfd.readouterr()
    load_teacher(str(folder))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError("You are trying to access a gated repo.\nMake sure"), "is gated"),
        (ValueError("... pass `trust_remote_code=True` ..."), "runs its own code"),
        (OSError("does not appear to have a file named model.safetensors"), "has no safetensors weights"),
        (RuntimeError("\n  first line\nsecond line"), "cannot be loaded: first line"),
        (KeyError(), "cannot be loaded: KeyError"),
    ],
)
def test_failures_become_one_line(error: Exception, message: str):
    with pytest.raises(ModelError, match=message) as caught, loading("spec"):
        raise error
    assert "\n" not in str(caught.value)
    assert caught.value.mend
    json.dumps(str(caught.value))

"""Files of a report: whole or not there; and the command."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from pagekit import make_page

import teachonce
from teachonce.errors import DiskError, InputError
from teachonce.reports.write import check_outs, write_page
from tests.cli.conftest import Call


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Pages are made up; what was asked for is kept."""
    asked: dict[str, Any] = {}

    def build(places: Any, **options: Any) -> Any:
        asked.update(options, places=places)
        return make_page("live")

    monkeypatch.setattr("teachonce.reports.build.build_page", build)
    return asked


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_both_kinds_are_written(tmp_path: Path):
    write_page(make_page(), [tmp_path / "a" / "r.html", tmp_path / "r.md"])
    assert files(tmp_path) == ["a/r.html", *(f"r-files/{name}.png" for name in ("bars", "curves", "maps")), "r.md"]


def test_all_files_or_none(tmp_path: Path):
    (tmp_path / "r-files").write_text("in the way")
    with pytest.raises(DiskError):
        write_page(make_page(), [tmp_path / "r.html", tmp_path / "r.md"])
    assert files(tmp_path) == ["r-files"]


def test_a_full_disk_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "there").mkdir()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for folder in ("there", "new/er"):
        with pytest.raises(DiskError):
            write_page(make_page(), [tmp_path / folder / "r.html", tmp_path / folder / "r.md"])
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["there"]


@pytest.mark.parametrize(
    ("outs", "told"),
    [
        ("report.pdf", r"report\.pdf: expected the suffix \.html or \.md, got '\.pdf'"),
        ("report", "got none"),
        (["a.html", "b.txt"], "got '.txt'"),
        ([], "got none"),
        (["a.html", "a.html"], "expected different files"),
        ("folder.html", "is a folder"),
    ],
)
def test_files_that_cannot_be_are_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outs: Any, told: str
):
    monkeypatch.chdir(tmp_path)
    Path("folder.html").mkdir()
    with pytest.raises(InputError, match=told):
        teachonce.report("nowhere", out=outs)


def test_upper_case_is_a_suffix_too():
    assert check_outs("R.HTML") == (Path("R.HTML"),)


def test_a_report_needs_something_to_tell_of(tmp_path: Path):
    with pytest.raises(InputError, match="got none"):
        teachonce.report([], out=tmp_path / "r.html")


def test_the_result_says_what_was_written(tmp_path: Path, built: dict[str, Any]):
    result = teachonce.report("runs", out=[tmp_path / "r.md"], store="s.zarr", title="T")
    assert (built["places"], built["store"], built["title"]) == ((Path("runs"),), Path("s.zarr"), "T")
    assert result.out == (str(tmp_path / "r.md"),)
    assert (result.pays, result.verdict) == ("live", make_page().verdict)
    assert result.figures == ("bars", "curves", "maps")
    assert result.sections == ("arms", "curves", "accuracy", "maps", "store", "reproduce")
    assert result.warnings == make_page().warnings


def test_the_command_says_the_verdict_and_the_path(tmp_path: Path, call: Call, built: dict[str, Any]):
    out = tmp_path / "r.html"
    done = call("report", "runs", "b.json", "--out", out, "--out", tmp_path / "r.md", "--title", "T")
    assert done.code == 0, done.err
    first, *_, html, markdown = done.out.splitlines()
    assert first == make_page().verdict
    assert (html, markdown) == (f"report: {out}", f"report: {tmp_path / 'r.md'}")
    assert built["places"] == (Path("runs"), Path("b.json"))
    told = call("report", "runs", "--out", out, "--json").json
    assert told["pays"] == "live"
    assert told["out"] == [str(out)]


def test_the_command_refuses_what_is_not_there(tmp_path: Path, call: Call):
    out = tmp_path / "r.html"
    assert call("report", tmp_path / "none", "--out", out, "--json").error["kind"] == "missing"
    assert call("report", tmp_path, "--out", tmp_path / "r.pdf", "--json").error["kind"] == "input"
    assert not out.exists()

"""The recipe: one TOML file that describes a whole run."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from teachonce.errors import InputError
from teachonce.fsio import read_text
from teachonce.options.embed import EmbedOptions
from teachonce.options.rdm import RdmOptions
from teachonce.options.runs import ReportOptions
from teachonce.pipeline.check import Checker
from teachonce.pipeline.overrides import overridden
from teachonce.pipeline.tables import DataTable, RunTable, Table, Teacher, Training, TuneTable

BUILT_IN = {"quickstart": Path(__file__).with_name("quickstart.toml")}
_FILE_PREFIXES = ("parquet", "arrow", "folder", "disk", "transformers")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A recipe, checked.

    Attributes:
        folder: What paths in the recipe are relative to.
        out: The folder of the runs.
        raw: As it was read.
        trust_remote_code: The user's word that code may be run that the recipe names: never the recipe's own.
    """

    folder: Path
    out: Path
    data: DataTable
    teacher: Teacher | None
    store: Table[EmbedOptions] | None
    run: RunTable
    trainings: tuple[Training, ...]
    rdms: tuple[Table[RdmOptions], ...] = field(default=())
    assistants: tuple[Training, ...] = field(default=())
    tune: TuneTable = field(default_factory=TuneTable)
    report: ReportOptions | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    trust_remote_code: bool = False

    def spec(self, text: str) -> str:
        """A dataset, teacher or student of the recipe; a path in it becomes absolute, since runs are known by it."""
        prefix, colon, path = text.partition(":")
        if colon and prefix in _FILE_PREFIXES:
            return f"{prefix}:{self._found(path)}"
        return text if colon else self._found(text)

    def _found(self, text: str) -> str:
        path = self.folder / text
        return str(path.absolute()) if path.exists() else text

    def store_path(self) -> Path | None:
        """The store, seen from the working folder."""
        return None if self.store is None else self.folder / self.store.options.store

    def report_paths(self) -> list[Path]:
        """The files of the report, seen from the working folder."""
        return [] if self.report is None else [self.folder / out for out in self.report.out]


def load_recipe(
    recipe: str | Path,
    out: str | Path | None = None,
    *,
    overrides: Sequence[str] = (),
    trust_remote_code: bool = False,
) -> Recipe:
    """Read and check a recipe.

    Args:
        recipe: A file, or the name of a built-in recipe.
        out: The folder of the runs in place of the recipe's; for a built-in recipe, the folder of everything.
        overrides: `TABLE.KEY=VALUE`, in place of what the file says; see `overridden`.
        trust_remote_code: Allow the recipe to name code that is run.

    Raises:
        InputError: No such file, not TOML, or unknown or wrong keys (all of them, in one line).
        CorruptError: It is no regular file, or too large.
    """
    built_in = BUILT_IN.get(str(recipe))
    path = built_in or Path(recipe)
    checker = Checker()
    raw = overridden(_read(path), overrides)
    tables = checker.tables(raw)
    if checker.problems or tables is None:
        raise InputError(f"recipe {recipe}: {'; '.join(checker.problems)}", "Correct these keys of the recipe")
    folder = (Path(out) if out else Path(path.stem)) if built_in else path.parent
    own = tables["run"].out
    runs = folder / (f"{path.stem}-runs" if own in (None, Path()) else own)  # an empty text is an empty path
    place = Path(out) if out and not built_in else runs
    return Recipe(folder=folder, out=place, raw=raw, trust_remote_code=trust_remote_code, **tables)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(read_text(path, mend="Name a TOML file"))
    except FileNotFoundError as error:
        mend = f"Give a TOML file, or the built-in recipe {' or '.join(BUILT_IN)}"
        raise InputError(f"there is no recipe {path}", mend) from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a TOML file: {error}", "Correct the file") from error

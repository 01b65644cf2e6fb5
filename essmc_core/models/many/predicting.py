"""Predicts many files into a file of rows, and goes on where an earlier run ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from essmc_core.errors import ConfigError
from essmc_core.foundation.atomic import write_text
from essmc_core.models.many.parquet import read_parquet, require_parquet, write_parquet
from essmc_core.models.many.question import check_question
from essmc_core.models.many.row import as_text, row_of
from essmc_core.models.many.row_file import CsvRows, JsonLines, RowFile
from essmc_core.models.predicted import Prediction

SUFFIXES = (".jsonl", ".csv", ".parquet")


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a run is.

    Attributes:
        total: files that were named.
        earlier: of these, those that had their rows before.
        done: those that have their rows now.
        unreadable: of these, those that could not be read.
    """

    total: int
    earlier: int
    done: int
    unreadable: int


def check_output(output: Path) -> None:
    """Checks that rows can be written to a file of this name.

    Raises:
        ConfigError: its suffix is none of `SUFFIXES`, or there is no such folder.
        MissingDependency: it is to be a Parquet file, and pyarrow is not installed.
    """
    if output.suffix not in SUFFIXES:
        raise ConfigError(f"{output} is of no known format.", hint=f"Let it end in {', '.join(SUFFIXES)}.")
    if output.is_dir() or not output.parent.is_dir():
        what = "is a directory" if output.is_dir() else f"cannot be written: there is no directory {output.parent}"
        raise ConfigError(f"{output} {what}.")
    if output.suffix == ".parquet":
        require_parquet()


def write_predictions(
    paths: Iterable[Path | str],
    predict: Callable[[Iterable[Path | str]], Iterator[Prediction]],
    output: Path,
    question: Mapping[str, Any],
    *,
    is_ranked: bool,
    tell: Callable[[Tally, str], object] = lambda tally, path: None,
) -> Tally:
    """Adds a row for every file that has none yet, in the order of the files.

    A row is in the file as soon as its prediction is known; Parquet files are made at the end, of rows that are
    gathered beside them.

    Args:
        paths: files; one that is named twice has two rows.
        predict: yields a prediction for each of some files, in their order; what cannot be read has an error.
        output: one for which `check_output` passes.
        question: model and options, as plain data; rows of another question are refused.
        is_ranked: whether rows list several classes.
        tell: called after each row.

    Raises:
        RowFileError: the file holds something else, or answers another question.
        OSError: it cannot be written.
    """
    wanted = list(paths)
    # Before the file is opened, which mends it: one that holds something else stays as it is.
    check_question(output, question, has_rows=any(map(_has_content, (output, _gathered(output)))))
    with _opened(output) as file:
        there: Counter[str] = Counter()
        unreadable = 0
        for row in file.rows():
            there[row["path"]] += 1
            unreadable += row["error"] is not None
        left = list(_without(wanted, there))
        tally = Tally(len(wanted), len(wanted) - len(left), len(wanted) - len(left), unreadable)
        for prediction in predict(left):
            file.append(row_of(prediction, is_ranked=is_ranked))
            tally = Tally(tally.total, tally.earlier, tally.done + 1, tally.unreadable + bool(prediction.error))
            tell(tally, prediction.file)
        if output.suffix == ".parquet":
            write_parquet(output, file.rows())
    if output.suffix == ".parquet":
        file.path.unlink()
    return tally


def _without(paths: Iterable[Path | str], there: Counter[str]) -> Iterator[Path | str]:
    remaining = there.copy()
    for path in paths:
        name = as_text(str(path))
        if remaining[name]:
            remaining[name] -= 1
        else:
            yield path


def _opened(output: Path) -> RowFile:
    if output.suffix == ".csv":
        return CsvRows(output)
    if output.suffix == ".jsonl":
        return JsonLines(output)
    gathered = _gathered(output)
    if output.exists() and not gathered.exists():
        rows = read_parquet(output)
        write_text(gathered, "".join(JsonLines.line(row) for row in rows))
    return JsonLines(gathered)


def _gathered(output: Path) -> Path:
    """Returns where the rows of a Parquet file are while it is being made."""
    return output.with_name(f"{output.name}.rows.jsonl")


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0

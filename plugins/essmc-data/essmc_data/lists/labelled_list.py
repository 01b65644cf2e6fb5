"""What a list says of files: their rows, their labels as numbers, and the names of the classes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from essmc_data.errors import ListError
from essmc_data.lists.class_names import distinct_names, shortened
from essmc_data.lists.columns import Layout, Row, read_rows
from essmc_data.lists.labels import Label, number_labels
from essmc_data.lists.lines import read_lines

Numbers = int | tuple[int, ...] | None
"""A label, those of several, or none."""
_logger = logging.getLogger("essmc_data")


@dataclass(frozen=True)
class LabelledList:
    """A list, read.

    Attributes:
        file: path or URL of the list.
        rows: its lines.
        labels: of the rows.
        classes: names of the classes, empty where labels are numbers without names.
        num_classes: how many classes there are, where rows have several labels.
    """

    file: str
    rows: Sequence[Row]
    labels: Sequence[Numbers]
    classes: tuple[str, ...]
    num_classes: int | None

    def paths(self, path_of: Callable[[Row], str]) -> list[str]:
        """Returns the rows' paths, and warns of those that are listed more than once.

        Args:
            path_of: returns the path of a row.

        Raises:
            ListError: a path has another label at another line.
        """
        paths = [path_of(row) for row in self.rows]
        seen: dict[str, int] = {}
        repeated = []
        for place, path in enumerate(paths):
            before = seen.setdefault(path, place)
            if self.labels[before] != self.labels[place]:
                line = self.rows[before].line.number
                raise self.rows[place].line.error(f"{path} has another label at line {line}.")
            if before != place:
                repeated.append(path)
        if repeated:
            _logger.warning("%s lists %d paths again: %s", self.file, len(repeated), shortened(repeated))
        return paths


class ListReader:
    """Reads a list file by what is known of it: the arguments that all data sets of lists take.

    Args:
        file: path or URL.
        classes: names in the order of their numbers.
        delimiter: see `Layout`.
        columns: see `Layout`.
        multi_label: see `Layout`.
        num_classes: how many classes there are, for rows of several numbers.
        split: which rows to take where a column ``split`` has several values.

    Raises:
        ConfigError: the arguments exclude each other, or a name of a class occurs twice.
    """

    def __init__(
        self,
        file: str,
        classes: Sequence[str] | None = None,
        delimiter: str | None = None,
        columns: Sequence[str] | Mapping[str, str] | None = None,
        multi_label: bool = False,
        num_classes: int | None = None,
        split: str | None = None,
    ) -> None:
        self.file = file
        self.classes = None if classes is None else distinct_names(classes)
        self.layout = Layout(delimiter, columns, multi_label)
        self.num_classes = num_classes
        self.split = split

    def read(self) -> LabelledList:
        """Returns what the list says.

        Raises:
            DatasetNotFound: the list is missing.
            ListError: it is empty or cannot be understood, or a label is not among ``classes``.
        """
        rows = _of_split(self.file, read_rows(read_lines(self.file), self.layout), self.split)
        bare = [row for row in rows if not row.labels]
        if len(bare) == len(rows):
            return LabelledList(self.file, rows, [None] * len(rows), self.classes or (), self.num_classes)
        if bare and not self.layout.multi_label:
            raise bare[0].line.error("There is no label, and other lines have one.")
        if not self.layout.multi_label and (several := next((row for row in rows if len(row.labels) > 1), None)):
            raise several.line.error("There are several labels.", "multi_label: true takes them.")
        labels = [Label(row.line, text) for row in rows for text in row.labels]
        names, numbers = number_labels(labels, self.classes)
        if not self.layout.multi_label:
            return LabelledList(self.file, rows, numbers, names, self.num_classes)
        count = len(names) or self.num_classes
        if count is None:
            raise ListError(f"{self.file} numbers its labels: of how many classes?", hint="num_classes: 80")
        for label, number in zip(labels, numbers, strict=True):
            if number >= count:
                raise label.place.error(f"There is label {number}, and there are {count} classes.")
        rest = iter(numbers)
        return LabelledList(self.file, rows, [tuple(next(rest) for _ in row.labels) for row in rows], names, count)


def label_tensor(label: int | tuple[int, ...] | list[float], num_classes: int | None) -> Tensor:
    """Returns a label as int64 (), several as float32 (num_classes,) of 0 and 1, and one number a class as it is."""
    if not isinstance(label, tuple):
        return torch.tensor(label)
    assert num_classes is not None
    several = torch.zeros(num_classes)
    several[list(label)] = 1
    return several


def _of_split(file: str, rows: Sequence[Row], split: str | None) -> Sequence[Row]:
    found = sorted({row.cells["split"] for row in rows if "split" in row.cells})
    if split is None:
        if len(found) > 1:
            raise ListError(f"{file} has rows of several splits: {shortened(found)}.", hint=f"split: {found[-1]}")
        return rows
    taken = [row for row in rows if row.cells.get("split") == split]
    if not taken:
        raise ListError(f"{file} has no row of split {split!r}: it has {shortened(found) or 'none'}.")
    return taken

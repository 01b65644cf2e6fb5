"""Labels of the entries of a JSON list."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from essmc_data.lists.json_list import Entry
from essmc_data.lists.labels import Label, number_labels

Labels = list[int] | list[list[float]]


def read_labels(entries: Sequence[Entry], classes: tuple[str, ...] | None) -> tuple[tuple[str, ...], Labels | None]:
    """Returns the classes' names and the entries' labels, None where no entry has one.

    Raises:
        ListError: some entries have a label, or labels are of several kinds, or one is none of ``classes``.
    """
    given = [entry.content.get("gt_label") for entry in entries]
    if all(label is None for label in given):
        return classes or (), None
    if None in given:
        raise entries[given.index(None)].error("has no gt_label, and others have one.")
    first = next((label for label in given if isinstance(label, list)), None)
    if first is not None:
        return classes or (), [_vector(entry, len(classes or first)) for entry in entries]
    labels = [Label(entry, _text(entry, len(classes or ()))) for entry in entries]
    return number_labels(labels, classes)


def _vector(entry: Entry, length: int) -> list[float]:
    label = entry.content["gt_label"]
    numbers = isinstance(label, list) and all(type(value) in (int, float) and math.isfinite(value) for value in label)
    if not numbers or len(label) != length:
        raise entry.error(f"has a gt_label that is not a list of {length} numbers, one a class: {label!r:.80}.")
    return list(label)


def _text(entry: Entry, count: int) -> str:
    label: Any = entry.content["gt_label"]
    if isinstance(label, str):
        return label.strip()
    if type(label) is float and label.is_integer() and abs(label) < 1e15:
        label = int(label)
    if type(label) is not int:
        raise entry.error(f"has gt_label {label!r:.80}, neither a whole number nor a name, nor a list of numbers.")
    if count and label >= count:
        raise entry.error(f"has gt_label {label}, with {count} classes.")
    return str(label)

"""Labels of a list: whole numbers, or names that are numbered; never both."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from essmc_data.errors import ListError
from essmc_data.lists.class_names import shortened

LARGEST = 10_000_000
"""Labels count classes; a larger number is something else."""
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}(?:\.0*)?", re.ASCII)
_OTHER_NUMBER = re.compile(r"[+-]?0[xobXOB][0-9a-fA-F_]+", re.ASCII)


class Place(Protocol):
    """Where a label stands."""

    @property
    def number(self) -> int:
        """Of the line or entry."""

    def error(self, message: str, hint: str = "") -> ListError:
        """Returns an error that names the place."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label as it is written.

    Attributes:
        place: its line or entry.
        text: its cell.
    """

    place: Place
    text: str


def whole_number(text: str) -> int | None:
    """Returns the whole number that a text writes in ASCII digits, as ``10`` or ``10.0``; None for anything else."""
    return int(text.partition(".")[0]) if _WHOLE.fullmatch(text) else None


def number_labels(labels: Sequence[Label], classes: Sequence[str] | None) -> tuple[tuple[str, ...], list[int]]:
    """Returns the classes' names, and the labels as numbers.

    Labels are whole numbers, then there are no names but those given; or names, which are numbered in the order of
    ``classes``, else in alphabetical order.

    Raises:
        ListError: both kinds are mixed, a label is neither, or it is none of ``classes``.
    """
    names, numbers = _by_name(labels, classes), [whole_number(label.text) for label in labels]
    if names is not None and None not in numbers and names != numbers:
        raise labels[0].place.error(
            "The labels are numbers, and `classes` are numbers in another order: which are meant?",
            "Leave out `classes` for numbers, or write the classes with letters.",
        )
    if names is not None:
        return tuple(classes or ()), names
    if None not in numbers:
        return tuple(classes or ()), [_checked(label, classes) for label in labels]
    written = sorted({label.text for label in labels})
    if all(number is None for number in numbers):
        if classes is not None:
            strange = [label for label in labels if label.text not in classes]
            raise strange[0].place.error(
                f"Labels that are not among the classes: {shortened(sorted({label.text for label in strange}))}; "
                f"classes without a label: {shortened(sorted(set(classes) - set(written))) or 'none'}."
            )
        first: dict[str, Label] = {}
        for label in labels:
            first.setdefault(label.text, label)
        for label in first.values():
            _check_name(label)
        order = {name: number for number, name in enumerate(written)}
        return tuple(written), [order[label.text] for label in labels]
    raise _mixed(labels, numbers)


def _by_name(labels: Sequence[Label], classes: Sequence[str] | None) -> list[int] | None:
    order = {name: number for number, name in enumerate(classes or ())}
    if not order or any(label.text not in order for label in labels):
        return None
    return [order[label.text] for label in labels]


def _checked(label: Label, classes: Sequence[str] | None) -> int:
    number = whole_number(label.text)
    assert number is not None
    if number < 0:
        hint = "A list without labels has a header `path` and no column for them."
        raise label.place.error(f"There is label {number}; labels count from 0.", hint)
    if classes and number >= len(classes):
        raise label.place.error(f"There is label {number}, and there are {len(classes)} classes.")
    if number > LARGEST:
        raise label.place.error(f"There is label {number}, which is no number of a class.")
    return number


def _check_name(label: Label) -> None:
    try:
        float(label.text)
        is_number = True
    except ValueError:
        is_number = _OTHER_NUMBER.fullmatch(label.text) is not None
    if is_number or not any(character.isalpha() for character in label.text):
        raise label.place.error(
            f"The label {label.text!r} is neither a whole number nor a name.",
            "Numbers are written 3 or 3.0; a name has a letter in it; several labels need multi_label: true.",
        )


def _mixed(labels: Sequence[Label], numbers: Sequence[int | None]) -> ListError:
    odd = next(label for label, number in zip(labels, numbers, strict=True) if number is None)
    even = next(label for label, number in zip(labels, numbers, strict=True) if number is not None)
    _check_name(odd)
    error: ListError = odd.place.error(
        f"The label {odd.text!r} is a name, and {even.text!r} at {even.place.number} is a number.",
        "Labels are all numbers or all names. If this line is a header, name its columns by `columns`."
        if odd is labels[0]
        else "Labels are all numbers or all names.",
    )
    return error

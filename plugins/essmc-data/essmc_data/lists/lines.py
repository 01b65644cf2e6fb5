"""Lines of a list file and their cells: quotes, comments, and the marks that stand between."""

from __future__ import annotations

import re
from dataclasses import dataclass

from essmc_core.location import Location
from essmc_data.errors import ListError
from essmc_data.files.opening import read_annotation

DELIMITERS = {"tab": "\t", "comma": ",", "semicolon": ";", "space": " "}
_BLANKS = re.compile(r"[ \t]+")
_NEWLINE = re.compile(r"\r\n|\n|\r")
_FOREIGN_QUOTES = {"'": "'", "`": "`", "‘": "’", "“": "”", "„": "“", "«": "»"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is neither blank nor a comment.

    Attributes:
        file: path or URL of the list.
        number: counted from 1.
        text: without the line's end.
    """

    file: str
    number: int
    text: str

    def error(self, message: str, hint: str = "") -> ListError:
        """Returns an error that names this place."""
        return ListError(message, where=Location(self.file, self.number), hint=hint)


def text_lines(file: str) -> list[Line]:
    """Returns the lines of a file that are not blank.

    Raises:
        DatasetNotFound: the file cannot be read.
    """
    written = enumerate(_NEWLINE.split(read_annotation(file)), 1)
    return [Line(file, number, content) for number, content in written if content.strip()]


def read_lines(file: str) -> list[Line]:
    """Returns the lines of a list; a line that begins with ``#`` and a space is a comment.

    Raises:
        DatasetNotFound: the file is missing.
        ListError: it is empty, no text, or a line begins with ``#`` and something else.
    """
    found = [line for line in text_lines(file) if not _is_comment(line)]
    if not found:
        raise ListError(f"{file} is empty.")
    return found


def _is_comment(line: Line) -> bool:
    if "\0" in line.text:
        raise line.error("There is a zero byte: this is no text.")
    stripped = line.text.strip()
    if stripped.startswith("#") and stripped.lstrip("#")[:1].strip():
        raise line.error(
            f"The line begins with #: {shown(stripped)}.",
            "A comment has a space after its #; a path that begins with one stands in quotes.",
        )
    return stripped.startswith("#")


def split_cells(line: Line, delimiter: str) -> list[str]:
    """Returns the cells of a line, without blanks around them and without their quotes.

    A cell in double quotes may hold the delimiter, and a quote as two. Several blanks are one delimiter where that is
    a space.

    Raises:
        ListError: a quote is not closed, or something follows the closing one, or the quotes are of another kind.
    """
    text = line.text.strip(" " if delimiter == "\t" else None)
    if '"' not in text:
        parts = _BLANKS.split(text) if delimiter == " " else text.split(delimiter)
        return [_bare(line, part) for part in parts]
    cells: list[str] = []
    place = 0
    while True:
        place = _skip_blanks(text, place, delimiter)
        quoted = text[place : place + 1] == '"'
        if quoted:
            cell, place = _quoted(line, text, place)
            place = _skip_blanks(text, place, delimiter)
            if place < len(text) and text[place] != delimiter and not (delimiter == " " and text[place - 1] in " \t"):
                raise line.error(f"Something follows a closing quote: {shown(text)}.", "A quote within quotes is two.")
        else:
            end = _bare_end(text, place, delimiter)
            cell, place = _bare(line, text[place:end]), end
        cells.append(cell)
        if place >= len(text):
            return cells
        if delimiter != " ":
            place += 1
            if place >= len(text):
                return [*cells, ""]


def _bare(line: Line, text: str) -> str:
    cell = text.strip()
    if len(cell) > 1 and _FOREIGN_QUOTES.get(cell[0]) == cell[-1]:
        raise line.error(f"{cell} stands in quotes of another kind.", 'Quotes of a list are ": "a, b.mp4",1')
    return cell


def _bare_end(text: str, place: int, delimiter: str) -> int:
    if delimiter == " ":
        found = re.compile(r"[ \t]").search(text, place)
        return found.start() if found else len(text)
    end = text.find(delimiter, place)
    return len(text) if end < 0 else end


def _skip_blanks(text: str, place: int, delimiter: str) -> int:
    while place < len(text) and text[place] in " \t" and (text[place] != delimiter or delimiter == " "):
        place += 1
    return place


def _quoted(line: Line, text: str, place: int) -> tuple[str, int]:
    """Returns what stands in the quotes that open at a place, and where they end."""
    found = re.compile(r'"((?:[^"]|"")*)"').match(text, place)
    if found is None:
        raise line.error(f"A quote is not closed: {shown(text[place:])}.")
    return found[1].replace('""', '"').strip(), found.end()


def shown(text: str) -> str:
    """Returns a text for messages, shortened."""
    return repr(text if len(text) <= 80 else text[:77] + "...")

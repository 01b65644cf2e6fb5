"""Which column of a list is what, by its header, its shape, or the user's word; whatever else it is is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from essmc_core.errors import ConfigError
from essmc_core.inputs.media_files import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from essmc_data.errors import ListError
from essmc_data.lists.labels import whole_number
from essmc_data.lists.lines import DELIMITERS, Line, shown, split_cells

PATHS = (
    "path", "video_path", "video", "file", "filename", "file_name", "filepath", "file_path", "video_name", "clip",
    "clip_path", "frame_dir", "img_path", "image", "image_path", "img",
)  # fmt: skip
LABELS = (
    "label", "gt_label", "class", "target", "labels", "label_id", "class_id", "class_name", "label_name", "category",
    "action",
)  # fmt: skip
TOTALS = ("total_frames", "num_frames", "total", "frames", "nframes")
KINETICS = ("youtube_id", "time_start", "time_end")
LEFT_OUT = ("", "index", "unnamed: 0", "split", "is_cc", "duration", "fps", "width", "height")
"""Columns that are known and not needed; a pandas index has no name."""
_PANDAS_INDEX = re.compile(r"unnamed: [0-9.]+|level_[0-9]")
"""What pandas calls an index that was written and read again, perhaps several times."""
_MEDIA = re.compile(r"\.(?:" + "|".join(s.lstrip(".") for s in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES)) + r")\b", re.I)
_UNDERSTOOD = (
    "A line is understood as `path label`, with a comma, tab, semicolon or space between; a path with that mark in it "
    "stands in quotes. Otherwise a header names the columns, or `columns` does."
)
_FRAMES_OR_LABELS = (
    "For folders of frames and how many they are, columns: [path, total_frames, label]; for several labels, "
    "multi_label: true; for an index or other columns to leave out, columns: [index, path, label]."
)
_HEADERS = (
    f"Known are {', '.join(PATHS[:7])}; {', '.join(LABELS[:4])}; {TOTALS[0]}; {', '.join(KINETICS)}. "
    "Others are told by `columns: {path: …, label: …}`, and the rest is then left out."
)


_BEGINNING = 50


@dataclass(frozen=True, slots=True)
class Row:
    """What a line of a list says.

    Attributes:
        line: where it stands.
        path: of a file or a folder of frames; empty in a Kinetics list.
        labels: as they are written; none where the list has none.
        total: frames of a folder.
        cells: all cells by the header's names, in lower case; empty without a header.
    """

    line: Line
    path: str
    labels: tuple[str, ...] = ()
    total: int | None = None
    cells: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Layout:
    """What the user says of a list.

    Attributes:
        delimiter: a name or a mark of `DELIMITERS`; None to infer it from the list.
        columns: names of the columns of a list without a header, of which ``path``, ``label`` and ``total_frames``
            count; or which columns of the header are these.
        multi_label: whether a line may have several labels.
    """

    delimiter: str | None = None
    columns: Sequence[str] | Mapping[str, str] | None = None
    multi_label: bool = False

    def __post_init__(self) -> None:
        if self.delimiter is not None and self.delimiter not in (*DELIMITERS, *DELIMITERS.values()):
            raise ConfigError(f"delimiter={self.delimiter!r} is unknown.", hint=f"Choose {', '.join(DELIMITERS)}.")
        known = ("path", "label", "total_frames")
        if isinstance(self.columns, Mapping):
            if not {"path"} <= set(self.columns) <= set(known):
                raise ConfigError(f"columns={dict(self.columns)!r} names path, and label and total_frames, or not.")
        elif isinstance(self.columns, str) or (self.columns is not None and list(self.columns).count("path") != 1):
            raise ConfigError(f"columns={self.columns!r} must have `path` once.", hint="columns: [path, label]")


def read_rows(lines: Sequence[Line], layout: Layout) -> list[Row]:
    """Returns the rows of a list.

    A delimiter that is not given is the only one by which every line can be understood.

    Raises:
        ListError: a line cannot be understood, or in two ways.
    """
    if layout.delimiter is not None:
        return _Reading(DELIMITERS.get(layout.delimiter, layout.delimiter), layout).rows(lines)
    read: dict[str, list[Row]] = {}
    failed: list[tuple[bool, int, ListError]] = []
    for name, mark in DELIMITERS.items():
        try:
            reading = _Reading(mark, layout)
            # What is wrong is mostly so from the beginning: lists are long.
            reading.rows(lines[:_BEGINNING])
            read[name] = reading.rows(lines)
        except ListError as error:
            failed.append((mark in lines[0].text.strip(), error.where.line if error.where else 0, error))
    if not read:
        # The delimiter that occurs, and of several the one that was understood longest, explains most.
        raise max(failed, key=lambda entry: entry[:2])[2]
    first, *others = read
    for other in others:
        if read[other] != read[first]:
            pair = next(pair for pair in zip(read[first], read[other], strict=False) if pair[0] != pair[1])
            raise pair[0].line.error(
                f"The list can be read with a {first} between (path {shown(pair[0].path)}) and with a {other} "
                f"(path {shown(pair[1].path)}).",
                f"Say which: delimiter: {first}, or delimiter: {other}.",
            )
    return read[first]


class _Reading:
    """A list read by one delimiter."""

    def __init__(self, delimiter: str, layout: Layout) -> None:
        self.delimiter = delimiter
        self.layout = layout

    def rows(self, lines: Sequence[Line]) -> list[Row]:
        split = [split_cells(line, self.delimiter) for line in lines]
        multi = self.layout.multi_label
        while not multi and all(len(cells) > 1 and not cells[-1] for cells in split):
            split = [cells[:-1] for cells in split]
        header = [cell.lower() for cell in split[0]]
        places = self._places(lines[0], header)
        if places is not None:
            if len(lines) == 1:
                raise lines[0].error("There is nothing below the header.")
            return [self._named(line, header, places, cells) for line, cells in zip(lines[1:], split[1:], strict=True)]
        if self.layout.columns is not None:
            names = list(self.layout.columns)
            return _alike([self._told(line, names, cells) for line, cells in zip(lines, split, strict=True)])
        if multi:
            return _alike([self._several(line, cells) for line, cells in zip(lines, split, strict=True)])
        rows = [self._pair(line, cells) for line, cells in zip(lines, split, strict=True)]
        named = [whole_number(row.labels[0]) is None for row in rows]
        if named[0] and len(rows) > 1 and not any(named[1:]) and not _MEDIA.search(rows[0].path):
            message = f"The first line is neither a path and a number nor a known header: {shown(lines[0].text)}."
            raise lines[0].error(message, f"{_UNDERSTOOD}\n  {_HEADERS}")
        if all(named):
            for row in rows:
                self._check_named_pair(row)
            return _alike(rows)
        return rows

    def _places(self, line: Line, header: list[str]) -> dict[str, list[int]] | None:
        """Returns where the columns stand, None where the first line is no header."""
        given = self.layout.columns
        if isinstance(given, Mapping):
            lower = {role: name.lower() for role, name in given.items()}
            if missing := sorted(set(lower.values()) - set(header)):
                raise line.error(f"The header has no column {missing[0]!r}: {shown(line.text)}.")
            return {role: [header.index(name)] for role, name in lower.items()}
        is_header = any(cell in (*PATHS, KINETICS[0]) for cell in header)
        if given is not None:
            if is_header:
                raise line.error("`columns` is a list, and the list has a header.", "columns: {path: …, label: …}")
            return None
        if not is_header:
            if any(cell in (*LABELS, *TOTALS, *KINETICS) for cell in header) and not _MEDIA.search(line.text):
                raise line.error(f"A header with no column of paths: {shown(line.text)}.", _HEADERS)
            return None
        roles = {"path": PATHS, "label": LABELS, "total_frames": TOTALS, "": (*KINETICS, *LEFT_OUT)}
        places: dict[str, list[int]] = {}
        for place, cell in enumerate(header):
            role = next((role for role, names in roles.items() if cell in names), None)
            if role is None and _PANDAS_INDEX.fullmatch(cell):
                role = ""
            if role is None:
                raise line.error(f"The header has an unknown column {cell!r}: {shown(line.text)}.", _HEADERS)
            places.setdefault(role, []).append(place)
        for role, names in (("path", "paths"), ("label", "labels"), ("total_frames", "totals")):
            if len(places.get(role, ())) > 1 and not (role == "label" and self.layout.multi_label):
                raise line.error(f"The header has two columns of {names}: {shown(line.text)}.", _HEADERS)
        return places

    def _named(self, line: Line, header: list[str], places: Mapping[str, list[int]], cells: list[str]) -> Row:
        if len(cells) != len(header):
            raise line.error(
                f"{_columns(len(cells))} where the header has {len(header)}: {shown(line.text)}.", _UNDERSTOOD
            )
        labels = [cells[place] for place in places.get("label", ())]
        path = cells[places["path"][0]] if "path" in places else ""
        return self._row(line, path, labels, places.get("total_frames"), cells, dict(zip(header, cells, strict=True)))

    def _told(self, line: Line, names: list[str], cells: list[str]) -> Row:
        longer = len(cells) > len(names) and self.layout.multi_label and names[-1] == "label"
        shorter = len(cells) == len(names) - 1 and names[-1] == "label" and self.layout.multi_label
        if len(cells) != len(names) and not longer and not shorter:
            raise line.error(
                f"{_columns(len(cells))} where `columns` names {len(names)}: {shown(line.text)}.", _UNDERSTOOD
            )
        labels = [cell for place, cell in enumerate(cells) if place >= len(names) or names[place] == "label"]
        total = [names.index("total_frames")] if "total_frames" in names else None
        return self._row(line, cells[names.index("path")], labels, total, cells, {})

    def _several(self, line: Line, cells: list[str]) -> Row:
        if len(cells) < 2:
            raise line.error(f"No label: {shown(line.text)}.", _UNDERSTOOD)
        self._check_marks(line, cells[0])
        row = self._row(line, cells[0], cells[1:], None, cells, {})
        self._check_named_pair(row)
        return row

    def _row(
        self,
        line: Line,
        path: str,
        labels: list[str],
        total: list[int] | None,
        cells: list[str],
        by_name: dict[str, str],
    ) -> Row:
        if not path and "youtube_id" not in by_name:
            raise line.error(f"No path: {shown(line.text)}.")
        frames = None
        if total is not None:
            frames = whole_number(cells[total[0]])
            if frames is None or frames < 1:
                raise line.error(f"{cells[total[0]]!r} is no number of frames.")
        if self.layout.multi_label:
            labels = [part for label in labels for part in _parts(label)]
        return Row(line, path, tuple(label for label in labels if label), frames, by_name)

    def _pair(self, line: Line, cells: list[str]) -> Row:
        label = cells[-1]
        if len(cells) == 2:
            path = cells[0]
        elif (
            self.delimiter == " "
            and len(cells) > 2
            and whole_number(cells[-2]) is None
            and whole_number(label) is not None
        ):
            # Without quotes a path may have blanks in it, since a number has none.
            path = line.text.strip()
            path = path[: len(path) - len(label)].rstrip()
            if '"' in (path[0], path[-1]) or path.endswith(label + '"'):
                raise line.error(
                    f"{_columns(len(cells))}, of which some stand in quotes: {shown(line.text)}.", _UNDERSTOOD
                )
        else:
            numbers = [cell for cell in cells if whole_number(cell) is not None]
            hint = _FRAMES_OR_LABELS if len(cells) > 2 and len(numbers) > 1 else _UNDERSTOOD
            raise line.error(f"{_columns(len(cells))}: {shown(line.text)}.", hint)
        if not path or not label:
            raise line.error(f"No {'label' if path else 'path'}: {shown(line.text)}.", _UNDERSTOOD)
        self._check_marks(line, path)
        return Row(line, path, (label,))

    def _check_marks(self, line: Line, path: str) -> None:
        """Refuses a path by spaces that another mark ends: ``a.mp4,riding bike`` has a label of two words."""
        if self.delimiter != " " or line.text.lstrip().startswith('"'):
            return
        end = max((found.end() for found in _MEDIA.finditer(path)), default=len(path))
        mark = path[end : end + 1] or path[-1:]
        if mark and mark in ",;\t":
            raise line.error(f"A {mark!r} stands beside the space: {shown(line.text)}.", _UNDERSTOOD)

    def _check_named_pair(self, row: Row) -> None:
        """Refuses what only looks like a path and names: a path is one, and a name is none."""
        is_file = _MEDIA.search(row.path)
        odd = next((label for label in row.labels if _MEDIA.search(label) or ("/" in label and not is_file)), None)
        if odd is not None:
            raise row.line.error(f"{odd!r} is a path, not a label: {shown(row.line.text)}.", _UNDERSTOOD)
        if "/" not in row.path and not re.search(r"\.\w+$", row.path):
            message = f"{row.path!r} is no path of a file, and no known name of a column: {shown(row.line.text)}."
            raise row.line.error(message, f"{_UNDERSTOOD}\n  {_HEADERS}")


def _alike(rows: list[Row]) -> list[Row]:
    """Refuses paths of which some are files by their suffix and others are not: those may be a header."""
    media = [bool(_MEDIA.search(row.path)) for row in rows]
    if any(media) and not all(media):
        odd = rows[media.index(False)]
        raise odd.line.error(f"{odd.path!r} is no path of a file, as others are: {shown(odd.line.text)}.", _HEADERS)
    return rows


def _parts(cell: str) -> list[str]:
    parts = [part.strip() for part in re.split(r"[|;,]", cell)]
    words = [word for part in parts for word in part.split()]
    return words if all(whole_number(word) is not None for word in words) else [part for part in parts if part]


def _columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"

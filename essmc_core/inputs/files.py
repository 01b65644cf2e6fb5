"""What is checked of every input file before it is opened."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

from essmc_core.errors import InputError, UnreadableInput
from essmc_core.inputs.spec import InputSpec

_LONGEST_SHOWN = 120
_URL = re.compile(r"(?:https?|s3|gs|hf|ftp):/")
"""A path keeps one of the two slashes that follow the scheme."""
_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def check_file(path: Path, spec: InputSpec) -> Path:
    """Returns the path, if it is a file with content.

    Raises:
        InputError: it is missing, empty, or something other than a file.
    """
    found = as_written_or_home(path)
    if problem := file_problem(found):
        raise InputError(problem, hint=f"The model takes {spec}.")
    return found


def checked_file(path: str | os.PathLike[str]) -> Path:
    """Returns the path, if it is a file with content.

    Raises:
        UnreadableInput: it is missing, empty, or something other than a file.
    """
    found = as_written_or_home(path)
    if problem := file_problem(found):
        raise UnreadableInput(problem)
    return found


def as_written_or_home(path: str | os.PathLike[str]) -> Path:
    """Returns the path with a leading ``~`` or ``~name`` as the home folder it stands for, if it stands for one.

    A file that exists under the name as it is written is that file: names may begin with ``~``.
    """
    written = Path(path)
    try:
        if os.path.lexists(written):
            return written
        return written.expanduser()
    except (RuntimeError, OSError, ValueError):
        # No such user, or a path that no file can have; opening says so.
        return written


def file_problem(path: Path) -> str:
    """Returns a sentence that says why a path is no file with content, empty if it is one."""
    shown = shortened(path)
    try:
        status = path.stat()
    except ValueError:
        return f"{shown!r} cannot be a path: it holds a null character."
    except OSError as error:
        return _why_missing(path, shown, error)
    for is_kind, called in _KINDS:
        if is_kind(status.st_mode):
            return f"{shown} is {called}, not a file."
    return "" if status.st_size else f"{shown} is an empty file."


def shortened(path: str | os.PathLike[str]) -> str:
    """Returns a path for a message: of an over-long one its beginning and end."""
    text = os.fspath(path)
    if len(text) <= 2 * _LONGEST_SHOWN:
        return text
    return f"{text[:_LONGEST_SHOWN]}…{text[-_LONGEST_SHOWN // 2 :]}"


def _why_missing(path: Path, shown: str, error: OSError) -> str:
    if error.errno == errno.ENAMETOOLONG:
        return f"{shown} is no file: a path or name of {len(os.fspath(path))} characters is too long."
    if error.errno == errno.ELOOP:
        return f"{shown} is a link that leads back to itself."
    if error.errno not in (errno.ENOENT, errno.ENOTDIR):
        return f"{shown} cannot be opened: {error.strerror or error}."
    try:
        target = os.readlink(path)
    except (OSError, ValueError):
        if _URL.match(shown):
            return f"{shown} looks like a URL, of which none are fetched here: download it, and name the file."
        return f"There is no file {shown}: it cannot be opened."
    return f"{shown} is a link to {shortened(target)}, where there is no file."

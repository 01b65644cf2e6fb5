"""Checks that a path is a regular file: reading a fifo or a device might never end."""

from __future__ import annotations

import stat
from pathlib import Path

from essmc_core.errors import WeightsCorrupt, WeightsNotFound
from essmc_core.weights.sniff import describe_folder

_HINT = "Weights are read from safetensors and from files of torch.save."
_KINDS = (
    (stat.S_ISFIFO, "a named pipe (fifo)"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISSOCK, "a socket"),
)


def require_regular(path: Path) -> None:
    """Raises unless a path is a regular file, without opening it.

    Raises:
        WeightsNotFound: there is none, or the path cannot be resolved.
        WeightsCorrupt: it is a directory, a device, a pipe or a socket, or there is no permission to read it.
    """
    mode = mode_of(path)
    if mode is None:
        beside = "" if path.is_absolute() else f" (looked in {Path.cwd()})"
        raise WeightsNotFound(f"There is no weights file {path}{beside}.", hint="Check the path, or give a URI.")
    if not stat.S_ISREG(mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "no regular file")
        if stat.S_ISDIR(mode):
            found = describe_folder(path)
            told = found if ":" in found else f"{found}, not a weights file"
            raise WeightsCorrupt(f"{path} is {told}.", hint=_HINT)
        raise WeightsCorrupt(f"{path} is {kind}, not a weights file.", hint=_HINT)


def mode_of(path: Path) -> int | None:
    """Returns the mode of the file that a path resolves to, None if there is none.

    Raises:
        WeightsNotFound: a dangling or circular link, an invalid name, or a folder without permission to read.
    """
    try:
        return path.stat().st_mode
    except FileNotFoundError as error:
        if path.is_symlink():
            message = f"{path} is a link to {path.readlink()}, where there is nothing."
            raise WeightsNotFound(message, hint="Mend the link, or give the file itself.") from error
        return None
    except NotADirectoryError:
        return None
    except (OSError, ValueError) as error:
        # A name that is too long, circular links, a null character, a folder without permission.
        shown = str(path) if len(str(path)) <= 200 else f"{str(path)[:200]}..."
        reason = (getattr(error, "strerror", None) or str(error)).rstrip(".")
        raise WeightsNotFound(
            f"The weights file {shown!r} cannot be reached: {reason}.", hint="Check the path."
        ) from error

"""Whether a path is a file that can be read to its end: a fifo or a device would keep the reader for ever."""

from __future__ import annotations

import stat
from pathlib import Path

from essmc_core.errors import WeightsCorrupt, WeightsNotFound

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe (fifo)"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISSOCK, "a socket"),
)


def require_regular(path: Path) -> None:
    """Refuses what is no regular file, before it is opened.

    Raises:
        WeightsNotFound: there is none, or the path cannot be followed.
        WeightsCorrupt: it is a directory, a device, a pipe or a socket, or may not be read.
    """
    mode = mode_of(path)
    if mode is None:
        beside = "" if path.is_absolute() else f" (looked in {Path.cwd()})"
        raise WeightsNotFound(f"There is no weights file {path}{beside}.", hint="Check the path, or give a URI.")
    if not stat.S_ISREG(mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "no regular file")
        hint = "Weights are read from safetensors and from files of torch.save."
        raise WeightsCorrupt(f"{path} is {kind}, not a weights file.", hint=hint)


def mode_of(path: Path) -> int | None:
    """Returns the mode of what a path leads to, None where there is nothing.

    Raises:
        WeightsNotFound: a dangling or circular link, a name that no file can have, or a folder that may not be read.
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
        # Too long a name, links in a circle, a null character, a folder without permission.
        shown = str(path) if len(str(path)) <= 200 else f"{str(path)[:200]}..."
        reason = (getattr(error, "strerror", None) or str(error)).rstrip(".")
        raise WeightsNotFound(
            f"The weights file {shown!r} cannot be reached: {reason}.", hint="Check the path."
        ) from error

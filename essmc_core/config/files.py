"""Reading a configuration file as text, and saying clearly why one cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

from essmc_core.errors import ConfigError, ConfigFileNotFound, ConfigSyntaxError
from essmc_core.location import Location


def read_text(path: Path, named_at: Location | None) -> str:
    """The text of a UTF-8 file, without a byte order mark.

    Args:
        path: the file.
        named_at: the line that names the file, for messages; None if the caller named it.

    Raises:
        ConfigFileNotFound: no such file; similar names in the folder are suggested.
        ConfigError: a folder, or a file that cannot be read.
        ConfigSyntaxError: not UTF-8.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigFileNotFound(f"there is no file {path}", where=named_at, hint=_similar(path)) from None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error, named_at) from error
    return _decode(content, path)


def _unreadable(path: Path, error: OSError | ValueError, named_at: Location | None) -> ConfigError:
    if isinstance(error, ValueError):
        return ConfigFileNotFound(f"{str(path)!r} is not a file name: {error}", where=named_at)
    if os.path.isdir(path):
        names = sorted(item.name for item in path.glob("*.y*ml"))[:5]
        hint = f"Name a file in it, such as {', '.join(names)}." if names else ""
        return ConfigError(f"{path} is a folder, not a file", where=named_at, hint=hint)
    return ConfigError(f"cannot read {path}: {error.strerror or error}", where=named_at)


def _similar(path: Path) -> str:
    import difflib

    folder = path.parent
    if not os.path.isdir(folder):
        return f"There is no folder {folder} either."
    try:
        names = [item.name for item in folder.iterdir()]
    except OSError:
        return ""
    close = difflib.get_close_matches(path.name, names, n=3) or [
        name for name in sorted(names) if Path(name).stem == path.name
    ]
    return f"Did you mean {' or '.join(str(folder / name) for name in close)}?" if close else ""


def _decode(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        raise ConfigSyntaxError(
            f"not UTF-8 text: byte 0x{content[error.start]:02x}",
            where=Location(str(path), line, column),
            hint="Save the file as UTF-8.",
        ) from None

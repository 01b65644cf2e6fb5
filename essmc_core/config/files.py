"""Reads a configuration file as text, with a specific error for each reason why it cannot be read."""

from __future__ import annotations

import os
import select
import stat
from pathlib import Path

from essmc_core.errors import ConfigError, ConfigFileNotFound, ConfigSyntaxError
from essmc_core.location import Location

MAX_BYTES = 8 << 20
"""Largest size of a file that is read."""
PIPE_SECONDS = 10


def read_text(path: Path, named_at: Location | None) -> str:
    """Returns the text of a UTF-8 file, without a byte order mark.

    Args:
        path: the file.
        named_at: the line that names the file, for messages; None if the caller named it.

    Raises:
        ConfigFileNotFound: no such file; similar names in the folder are suggested.
        ConfigError: a folder, or a file that cannot be read.
        ConfigSyntaxError: not UTF-8.
    """
    try:
        content = read_bounded(path, named_at)
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise ConfigFileNotFound(
                f"{path} is a link to {os.readlink(path)}, which is not there", where=named_at
            ) from None
        raise ConfigFileNotFound(f"there is no file {path}", where=named_at, hint=_similar(path)) from None
    except ConfigError:
        raise
    except (OSError, ValueError) as error:
        raise _unreadable(path, error, named_at) from error
    return _decode(content, path)


def read_bounded(path: Path, named_at: Location | None) -> bytes:
    """Returns the content of a file of at most `MAX_BYTES`.

    Raises:
        ConfigError: a device or the like, which is not opened; a pipe without a writer; or a larger file.
        OSError: the file cannot be opened or read.
    """
    mode = path.stat().st_mode
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
        raise ConfigError(f"{path} is a device or socket, not a file", where=named_at)
    if stat.S_ISFIFO(mode):
        content = _piped(path, named_at)
    else:
        with path.open("rb") as file:
            # The stated size may be 0, as in /proc, and the file may grow while it is read.
            content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ConfigError(
            f"{path} has more than {MAX_BYTES >> 20} MiB, and no configuration or list of labels has",
            where=named_at,
            hint="Is it another file?",
        )
    return content


def _piped(path: Path, named_at: Location | None) -> bytes:
    """Returns what another program writes to a pipe, as a shell's ``<(...)`` does."""
    content = b""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        while len(content) <= MAX_BYTES:
            try:
                block = os.read(descriptor, 1 << 16)
            except BlockingIOError:  # a writer has opened the pipe and not written yet
                if not select.select([descriptor], [], [], PIPE_SECONDS)[0]:
                    message = f"nothing came through the pipe {path} for {PIPE_SECONDS} s"
                    raise ConfigError(message, where=named_at) from None
                continue
            if not block:
                break
            content += block
    finally:
        os.close(descriptor)
    if not content:
        raise ConfigError(f"{path} is a pipe that nobody writes to", where=named_at)
    return content


def _unreadable(path: Path, error: OSError | ValueError, named_at: Location | None) -> ConfigError:
    if isinstance(error, ValueError):
        return ConfigFileNotFound(f"{str(path)!r} is not a file name: {error}", where=named_at)
    if os.path.isdir(path):
        names = sorted(item.name for item in path.glob("*.y*ml"))[:5]
        hint = f"Name a file in it, such as {', '.join(names)}." if names else ""
        return ConfigError(f"{path} is a folder, not a file", where=named_at, hint=hint)
    shown = str(path) if len(str(path)) < 300 else f"{str(path)[:300]}…"
    return ConfigError(f"cannot read {shown}: {error.strerror or error}", where=named_at)


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

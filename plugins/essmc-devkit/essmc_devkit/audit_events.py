"""What the interpreter's audit events tell of acts that outlive a process, and whose line did them."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

_STANDARD = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), "<frozen"})
_SITE = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def own_line(frame: FrameType | None, roots: Sequence[Path]) -> str:
    """Returns the line of the pack that called, through the standard library at most; empty if another did."""
    while frame is not None:
        name = frame.f_code.co_filename
        for root in roots:
            if Path(name).is_relative_to(root):
                return f"{Path(name).relative_to(root.parent)}:{frame.f_lineno}"
        if not name.startswith(_STANDARD) or name.startswith(_SITE):
            return ""
        frame = frame.f_back
    return ""


def described(event: str, arguments: tuple[Any, ...]) -> str:
    """Returns what an audit event of the interpreter did to the machine, empty if nothing that outlives the process."""
    if event in ("socket.connect", "socket.bind") and isinstance(arguments[1], (str, bytes)):
        # A socket of this machine alone.
        return ""
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind"):
        return f"uses the network, {arguments[1] if event != 'socket.getaddrinfo' else arguments[0]}"
    if event == "urllib.Request":
        return f"fetches {arguments[0]}"
    if event in ("subprocess.Popen", "os.system", "os.fork", "os.posix_spawn", "os.exec", "os.forkpty"):
        return f"starts a process, {_text(arguments[0])}" if arguments else "starts a process"
    if event == "open" and _writes(arguments) and arguments[0] != os.devnull:
        return f"writes {_text(arguments[0])}"
    if event in ("os.remove", "os.rmdir", "os.rename", "os.truncate", "os.chmod", "os.chown", "shutil.rmtree"):
        return f"changes the file {_text(arguments[0])}"
    if event in ("os.mkdir", "os.symlink", "os.link", "shutil.copyfile", "shutil.move"):
        return f"makes {_text(arguments[1] if len(arguments) > 1 and isinstance(arguments[1], str) else arguments[0])}"
    if event in ("webbrowser.open", "os.startfile"):
        return f"opens {_text(arguments[0])}"
    return ""


def _writes(arguments: tuple[Any, ...]) -> bool:
    mode, flags = arguments[1], arguments[2]
    if isinstance(arguments[0], int):
        return False
    return any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool(flags & _WRITING)


def _text(value: object) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return text[:120]

"""Where files are: a local path, ``https`` or any URL that fsspec knows."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from essmc_core.inputs.files import as_written_or_home

_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+(?:://|::)")


def is_url(location: str) -> bool:
    """Tells a URL from a local path; ``file://`` is a path, and so is what exists here under that very name."""
    return bool(_URL.match(location)) and not location.startswith("file://") and not os.path.lexists(location)


def join(prefix: str | None, path: str) -> str:
    """Returns ``path`` below ``prefix``, which may be a URL; an absolute path or a URL stays as it is."""
    if not prefix or os.path.isabs(path) or path.startswith("file://"):
        return path
    below = f"{prefix.rstrip('/')}/{path}" if is_url(prefix) else os.path.join(prefix, path)
    # A name such as a::b.mp4 looks like a URL, but is none where there is such a file.
    return path if is_url(path) and not os.path.lexists(below) else below


def local_path(location: str) -> Path:
    """Returns the path of a location that is not a URL."""
    if location.startswith("file://"):
        return Path(url2pathname(urlsplit(location).path))
    return as_written_or_home(location)

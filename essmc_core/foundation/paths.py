"""Where the core keeps what it may delete: one cache folder for weights and indexes."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Returns the cache folder, which may not exist yet.

    ``ESSMC_CACHE_DIR`` wins, then ``XDG_CACHE_HOME/essmc``, then ``~/.cache/essmc``.

    Raises:
        SettingError: a ``~name`` that nobody has, or a home folder that is not known.
    """
    try:
        return _cache_dir()
    except RuntimeError as error:
        from essmc_core.foundation.settings import SettingError

        raise SettingError(f"the cache folder cannot be told: {error}", hint="set ESSMC_CACHE_DIR=/a/folder") from error


def _cache_dir() -> Path:
    if explicit := os.environ.get("ESSMC_CACHE_DIR"):
        return Path(explicit).expanduser()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg).expanduser() / "essmc"
    return Path.home() / ".cache" / "essmc"

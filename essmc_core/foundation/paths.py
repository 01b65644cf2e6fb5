"""The core's cache folder, for weights and indexes that can be created again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Returns the cache folder, which may not exist yet.

    ``ESSMC_CACHE_DIR`` wins, then ``XDG_CACHE_HOME/essmc``, then ``~/.cache/essmc``.

    Raises:
        SettingError: a ``~name`` of an unknown user, or an unknown home folder.
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

"""The variables that child processes run with."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path


def child_environment(sites: Sequence[Path], **extra: str) -> Mapping[str, str]:
    """Returns this process's variables, without the user's choices among packs.

    Args:
        sites: folders whose distributions come before the installed ones.
        extra: further variables.
    """
    kept = {name: value for name, value in os.environ.items() if name == "ESSMC_CACHE_DIR" or name[:6] != "ESSMC_"}
    path = [*map(str, sites), *filter(None, [kept.get("PYTHONPATH", "")])]
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(path),
        # Compiled files would change what is installed, and the checks run without accelerators.
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "ESSMC_OFFLINE": "1",
        **extra,
    }

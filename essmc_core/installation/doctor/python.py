"""Which Python and which platform."""

from __future__ import annotations

import os
import platform
import sys

from essmc_core.foundation.version import __version__
from essmc_core.installation.doctor.section import Section

OLDEST = (3, 10)


def python_section() -> Section:
    """Returns versions of essmc-core, Python and the platform."""
    section = Section("Python")
    section.facts = {
        "essmc-core": __version__,
        "Python": f"{platform.python_implementation()} {platform.python_version()}, {_bits()} bits",
        "executable": sys.executable or "unknown",
        "environment": _environment(),
        "platform": platform.platform(),
        "processor": f"{platform.machine() or 'unknown'}, {_processors()}",
    }
    if sys.version_info < OLDEST:
        section.problem(
            f"Python {platform.python_version()} is older than 3.10", "create an environment with a newer one"
        )
    return section


def _bits() -> int:
    return 64 if sys.maxsize > 1 << 32 else 32


def _environment() -> str:
    if sys.prefix != sys.base_prefix:
        return f"virtual environment {sys.prefix}"
    return f"conda environment {sys.prefix}" if os.environ.get("CONDA_PREFIX") == sys.prefix else f"none ({sys.prefix})"


def _processors() -> str:
    all_of_them = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else all_of_them
    return f"{usable} of {all_of_them} cores may be used"

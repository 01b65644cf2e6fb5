"""Hints for a module that cannot be imported: the pip command that installs it, or the nearest name."""

from __future__ import annotations

import contextlib
import pkgutil
import re
import sys
from importlib.util import find_spec
from pathlib import Path

from essmc_core.foundation.names import did_you_mean, normalise_distribution

DISTRIBUTIONS = {
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "yaml": "pyyaml",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "skvideo": "scikit-video",
    "dateutil": "python-dateutil",
    "pkg_resources": "setuptools",
    "distutils": "setuptools",
    "mpl_toolkits": "matplotlib",
    "turbojpeg": "PyTurboJPEG",
    "hydra": "hydra-core",
    "faiss": "faiss-cpu",
    "bs4": "beautifulsoup4",
    "git": "GitPython",
    "attr": "attrs",
}
"""Distributions whose name differs from that of the module they provide."""

_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def remedy_of_missing(module: str, distribution: str = "") -> str:
    """Returns what to install for a missing module, one line.

    Args:
        module: its dotted name, as in ``ModuleNotFoundError.name``.
        distribution: the distribution whose code imports it; its requirements are the best source of the name.
    """
    top = module.partition(".")[0]
    if "." in module and _is_there(top):
        found = DISTRIBUTIONS.get(top, top)
        return f"the {top!r} that is installed has no such module; pip install -U {found} may bring it"
    wanted = DISTRIBUTIONS.get(top, f"{top} (or whatever brings the module {top!r})")
    for requirement in _requirements(distribution):
        name = _REQUIREMENT.match(requirement)
        if name is None or normalise_distribution(name[1]) not in _spellings(top):
            continue
        extra = _EXTRA.search(requirement.partition(";")[2])
        return f"pip install '{distribution}[{extra[1]}]'" if extra else f"pip install {name[1]}"
    return f"pip install {wanted}"


def nearest_module(module: str) -> str:
    """Returns ``did you mean …?`` with siblings of the first missing part of a dotted name, or an empty string."""
    parent, _, last = first_missing(module).rpartition(".")
    return did_you_mean(last if not parent else f"{parent}.{last}", _beside(parent))


def first_missing(module: str) -> str:
    """Returns the shortest prefix of a dotted name that does not exist, determined without importing anything."""
    top, *rest = module.split(".")
    if not _is_there(top):
        return top
    folders, name = _folders(top), top
    for part in rest:
        name = f"{name}.{part}"
        if part not in {found.name for found in pkgutil.iter_modules(folders)}:
            return name
        folders = [str(Path(folder, part)) for folder in folders]
    return module


def _is_there(top: str) -> bool:
    with contextlib.suppress(ImportError, ValueError, AttributeError):
        return top in sys.modules or find_spec(top) is not None
    return False


def _folders(top: str) -> list[str]:
    with contextlib.suppress(ImportError, ValueError, AttributeError):
        spec = find_spec(top)
        return list(spec.submodule_search_locations or ()) if spec is not None else []
    return []


def _beside(parent: str) -> list[str]:
    if not parent:
        return [found.name for found in pkgutil.iter_modules()]
    top, *rest = parent.split(".")
    folders = [str(Path(folder, *rest)) for folder in _folders(top)]
    return [f"{parent}.{found.name}" for found in pkgutil.iter_modules(folders)]


def _spellings(top: str) -> set[str]:
    return {normalise_distribution(top), normalise_distribution(DISTRIBUTIONS.get(top, top)).removesuffix("-headless")}


def _requirements(distribution: str) -> list[str]:
    if not distribution:
        return []
    import importlib_metadata

    # Unreadable metadata only makes the hint less specific.
    try:
        return list(importlib_metadata.requires(distribution) or ())
    except Exception:
        return []

"""The versions of the template: the current one, and those that earlier devkits had, in archives."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from essmc_devkit.new_pack.rendering import TEMPLATE, VERSION

HISTORY = Path(__file__).parent / "history"
"""Archives ``VERSION.zip`` of templates that a released devkit had."""


def versions() -> Mapping[str, Path]:
    """Returns where each version of the template is, oldest first: archives, and the folder of the current one."""
    earlier = sorted(HISTORY.glob("*.zip"), key=lambda path: int(path.stem))
    return {**{path.stem: path for path in earlier if path.stem != VERSION}, VERSION: TEMPLATE}


def copy_template(source: Path, folder: Path) -> None:
    """Writes the files of a template, from its folder or its archive, into a folder that does not exist."""
    if source.is_dir():
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.unpack_archive(source, folder)


def keep(folder: Path = HISTORY) -> Path:
    """Archives the current template, which is done at each release that changed it.

    Returns:
        The archive.
    """
    folder.mkdir(exist_ok=True)
    return Path(shutil.make_archive(str(folder / VERSION), "zip", TEMPLATE))

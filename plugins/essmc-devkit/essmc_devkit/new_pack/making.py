"""Makes a pack beside where it will be, and moves it there once it is whole."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from essmc_core.errors import EssmcError
from essmc_devkit.new_pack.plan import Plan
from essmc_devkit.new_pack.rendering import ANSWERS, TEMPLATE, VERSION, render


class FolderTaken(EssmcError, FileExistsError):
    """There is something already where the pack would be."""


class FolderRefused(EssmcError, PermissionError):
    """The folder that the pack would be in cannot be written to."""


def make(plan: Plan, into: Path, finish: Callable[[Path], None] = lambda folder: None) -> Path:
    """Makes a pack; the folder is there as a whole or not at all, whatever interrupts.

    Args:
        plan: what to make.
        into: the folder that the pack's own will be in; made if it is not there.
        finish: what is done with the files before they are moved to where they belong.

    Returns:
        The pack's folder.

    Raises:
        FolderTaken: there is something of that name.
        FolderRefused: ``into`` cannot be written to, or is no folder.
    """
    folder = into / plan.names.distribution
    check_free(folder)
    with _staging(into) as staging:
        made = staging / folder.name
        render(TEMPLATE, made, plan.answers(), VERSION)
        finish(made)
        try:
            # What came to be there meanwhile is not replaced unless it is an empty folder.
            os.rename(made, folder)
        except OSError as error:
            raise FolderTaken(f"{folder} was made by somebody else meanwhile", hint="nothing was written") from error
    return folder


def check_free(folder: Path) -> None:
    """Checks that nothing is where a pack would be.

    Raises:
        FolderTaken: something is; if it is a pack, the message tells how to update it.
    """
    if not os.path.lexists(folder):
        return
    if (folder / ANSWERS).is_file():
        hint = f"`essmc new-pack --update {folder}` brings improvements of the template to it"
    else:
        hint = "choose another name, or another folder by --into"
    raise FolderTaken(f"{folder} exists already", hint=hint)


@contextmanager
def _staging(into: Path) -> Iterator[Path]:
    """Makes a folder that is gone afterwards, on the same disk; folders above it that were not there go with it."""
    missing = [parent for parent in (into, *into.parents) if not parent.exists()]
    try:
        into.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".new-pack-", dir=into))
    except OSError as error:
        _remove_empty(missing)
        reason = error.strerror or str(error)
        raise FolderRefused(
            f"nothing can be written into {into}: {reason}", hint="choose another folder by --into"
        ) from error
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        _remove_empty(missing)


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return

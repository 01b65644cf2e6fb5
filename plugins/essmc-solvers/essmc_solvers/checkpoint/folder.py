"""The checkpoints of a work dir: their names, their order, which to trust and which to keep."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from essmc_core.weights.checkpoints import BEST, NAME
from essmc_solvers.checkpoint.contents import load
from essmc_solvers.checkpoint.sealed_file import check_seal
from essmc_solvers.errors import CheckpointCorrupt, CheckpointNotFound


@dataclass(frozen=True, order=True)
class Position:
    """How far a run has come.

    Attributes:
        epoch: epochs that are complete.
        iteration: iterations done of the next one.
    """

    epoch: int
    iteration: int = 0

    @property
    def file_name(self) -> str:
        """``epoch-00003.pth``, or ``epoch-00003-iter-0000120.pth`` within the epoch after."""
        within = f"-iter-{self.iteration:07d}" if self.iteration else ""
        return f"epoch-{self.epoch:05d}{within}.pth"


def list_checkpoints(folder: Path) -> list[tuple[Position, Path]]:
    """Returns the checkpoints of a folder, the oldest first."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        match = NAME.fullmatch(path.name)
        if match:
            found.append((Position(int(match[1]), int(match[2] or 0)), path))
    return sorted(found)


def load_newest(source: Path) -> tuple[Path, dict[str, Any]]:
    """Reads a checkpoint; where it is damaged, warns and reads the one before it.

    Args:
        source: a checkpoint, or a folder, for the newest in it.

    Raises:
        CheckpointNotFound: there is no such file, or no checkpoint in the folder.
        CheckpointCorrupt: it is damaged, and so are all before it.
    """
    candidates = _candidates(source)
    damage: list[str] = []
    for path in candidates:
        try:
            content = load(path)
        except CheckpointCorrupt as error:
            damage.append(error.message)
            continue
        for message in damage:
            warnings.warn(f"{message} Going back to {path.name}.", stacklevel=2)
        return path, content
    raise CheckpointCorrupt(
        "\n  ".join(["No checkpoint is left to resume from:", *damage]), hint="Start anew in another work dir."
    )


def _candidates(source: Path) -> list[Path]:
    if source.is_dir():
        newest_first = [path for _, path in reversed(list_checkpoints(source))]
        if not newest_first:
            raise CheckpointNotFound(
                f"There is no checkpoint in {source}.", hint="--resume auto starts anew where there is nothing yet."
            )
        return newest_first
    if not source.is_file():
        siblings = ", ".join(path.name for _, path in list_checkpoints(source.parent)[-3:])
        raise CheckpointNotFound(
            f"There is no checkpoint {source}.", hint=f"The newest beside it: {siblings}." if siblings else ""
        )
    real = source.resolve()
    match = NAME.fullmatch(real.name)
    if match is None:
        return [source]
    position = Position(int(match[1]), int(match[2] or 0))
    older = [path for other, path in reversed(list_checkpoints(real.parent)) if other < position]
    return [source, *older]


def newest_intact(damaged: Path) -> Path | None:
    """Returns the newest checkpoint beside a damaged one that is as it was written, None if there is none."""
    for _, path in reversed(list_checkpoints(damaged.parent)):
        if path.resolve() != damaged.resolve():
            try:
                check_seal(path)
            except (CheckpointCorrupt, OSError):
                continue
            return path
    return None


def mark_best(path: Path) -> None:
    """Makes ``best.pth`` stand for a checkpoint of the same folder, in one step."""
    best = path.parent / BEST
    temporary = path.parent / f".{BEST}.tmp"
    temporary.unlink(missing_ok=True)
    try:
        os.symlink(path.name, temporary)
    except OSError:  # some file systems have no symbolic links
        os.link(path, temporary)
    os.replace(temporary, best)


def remove_old(folder: Path, keep_last: int | None) -> None:
    """Removes all but the newest checkpoints and the best one.

    Args:
        folder: the work dir.
        keep_last: how many to keep; None keeps all of epochs' ends, and two within epochs.
    """
    listed = list_checkpoints(folder)
    if keep_last is None:
        within = [path for position, path in listed if position.iteration]
        old = within[:-2]
    else:
        old = [path for _, path in listed[:-keep_last]]
    best = (folder / BEST).resolve()
    for path in old:
        if path.resolve() != best:
            path.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Removes what writers that were killed left behind."""
    for pattern in (".epoch-*.pth.*.tmp", ".run.yaml.*.tmp"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


def best_or_newest(source: Path) -> Path | None:
    """Returns the checkpoint that a path stands for: itself, or the best of a folder, else its newest.

    Returns:
        None where the path is no checkpoint of this program by its name, such as a URI or other weights.

    Raises:
        CheckpointNotFound: there is none.
    """
    if source.is_dir() or source.name == BEST or NAME.fullmatch(source.name):
        return named_checkpoint(source)
    return None


def named_checkpoint(source: Path) -> Path:
    """Returns the checkpoint that a path names: itself, or the best of a folder, else its newest.

    Raises:
        CheckpointNotFound: there is none.
    """
    if source.is_dir() and (source / BEST).exists():
        return source / BEST
    if source.is_dir() and not list_checkpoints(source):
        raise CheckpointNotFound(
            f"There is no checkpoint in {source}.", hint="A work dir of `essmc train` has epoch-00001.pth … in it."
        )
    return _candidates(source)[0]

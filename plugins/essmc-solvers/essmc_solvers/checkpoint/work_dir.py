"""The work dir of a training: that it can be written to, and belongs to this run alone."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from essmc_solvers.checkpoint.claim import claim
from essmc_solvers.checkpoint.run_lock import run_lock
from essmc_solvers.errors import WorkDirError


def prepare_work_dir(folder: Path | None) -> None:
    """Makes a work dir, if there is to be one, and checks that files can be written there.

    Raises:
        WorkDirError: they cannot.
    """
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise WorkDirError(
            f"the work dir {folder} cannot be written to: {error.strerror or error}",
            hint="--work-dir (work_dir=) names another.",
        ) from error


class WorkDir:
    """A folder that one run writes to.

    Args:
        folder: the work dir; None where nothing is written.
        is_main: whether this process writes there.
    """

    def __init__(self, folder: Path | None, is_main: bool) -> None:
        self._folder = folder
        self._is_main = is_main
        self._is_held = self._is_own = False

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keeps other runs out within a block; the folder is made if need be.

        Raises:
            WorkDirError: it cannot be written to, or another run writes to it.
        """
        prepare_work_dir(self._folder)
        if self._folder is None or not self._is_main or self._is_held:
            yield
            return
        with run_lock(self._folder):
            self._is_held = True
            try:
                yield
            finally:
                self._is_held = False

    def take(self, is_resumed: bool, overwrite: bool) -> None:
        """Makes the folder that of this run.

        Args:
            is_resumed: whether the run goes on with what is there.
            overwrite: remove the checkpoints and metrics of an earlier run.

        Raises:
            ConfigError: an earlier run is there, which is neither resumed nor overwritten.
        """
        if self._folder is None or not self._is_main or self._is_own:
            return
        if not is_resumed:
            claim(self._folder, overwrite, "resume_from='auto' goes on with it, overwrite=True removes it.")
        self._is_own = True

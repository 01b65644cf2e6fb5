"""Files that prove they are whole: written in one step, with their hash inside."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from essmc_core.weights.checkpoints import SEAL, SEAL_SIZE, damage
from essmc_solvers.errors import CheckpointCorrupt, CheckpointNotWritten


class _HashingFile(io.RawIOBase):
    """A file to write once from start to end, whose last two bytes are held back and whose hash is known."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._held = b""
        self.hash = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        block = bytes(data)  # type: ignore[call-overload]
        content = self._held + block
        self._held = content[-2:]
        self.hash.update(content[:-2])
        self._file.write(content[:-2])
        return len(block)


def write_sealed(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Replaces a file by a zip archive that carries the sha256 of its content as the archive's comment.

    The new content goes to a temporary file, is flushed to the disk and then renamed, so that a crash, a kill or a full
    disk at any moment leaves either the old file or the new one. Any reader of zip archives, `torch.load` among them,
    reads the result.

    Args:
        path: the file.
        write: writes a zip archive without a comment to the stream it is given, from start to end.

    Raises:
        CheckpointNotWritten: the disk is full, or the folder cannot be written to.
    """
    temporary = path.parent / f".{path.name}.{os.getpid()}.tmp"
    try:
        with temporary.open("wb") as file:
            sealed = _HashingFile(file)
            write(sealed)  # type: ignore[arg-type]
            file.write(SEAL_SIZE.to_bytes(2, "little") + SEAL + sealed.hash.hexdigest().encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        # torch.save wraps what the disk says in a RuntimeError.
        cause = error if isinstance(error, OSError) else error.__context__
        if isinstance(cause, OSError):
            raise CheckpointNotWritten(
                f"{path} could not be written: {cause.strerror or cause}. Checkpoints written before are untouched.",
                hint="Free some space and resume, or keep fewer: CheckpointHook(keep_last=2).",
            ) from error
        raise


def sync_folder(folder: Path) -> None:
    """Makes a rename in a folder survive a power cut, on systems that can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_seal(path: Path) -> None:
    """Checks that a sealed file is as it was written.

    Raises:
        CheckpointCorrupt: it is not.
    """
    if problem := damage(path):
        raise CheckpointCorrupt(problem)

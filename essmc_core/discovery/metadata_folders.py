"""Where the metadata of installed distributions is: folders on ``sys.path``, and what other finders offer."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

Report: TypeAlias = Callable[[str, Exception], object]

_LARGEST = 16 << 20
_OF_PYTHON = frozenset({"_frozen_importlib", "_frozen_importlib_external", "importlib.metadata", "importlib_metadata"})


@dataclass(frozen=True, slots=True)
class MetadataFolder:
    """The metadata of one distribution.

    Attributes:
        path: its ``.dist-info`` or ``.egg-info``.
        distribution: the object of a finder that keeps metadata elsewhere than in folders; None for a folder.
    """

    path: str
    distribution: Any = None

    def read(self, name: str) -> bytes | None:
        """Returns a file of the metadata, None if there is none.

        Raises:
            OSError: it is no regular file, which is not read, or is too large.
        """
        if self.distribution is not None:
            text = self.distribution.read_text(name)
            return None if text is None else str(text).encode("utf-8", errors="surrogateescape")
        path = f"{self.path}{os.sep}{name}"
        try:
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
                raise OSError(f"{path} is no regular file of at most {_LARGEST >> 20} MiB")
            return _whole(descriptor, status.st_size)
        finally:
            os.close(descriptor)


def _whole(descriptor: int, size: int) -> bytes:
    data = os.read(descriptor, size + 1)
    # One read may return less than there is.
    while 0 < len(data) <= size and (more := os.read(descriptor, size + 1)):
        data += more
    return data


def metadata_folders(report: Report) -> Iterator[MetadataFolder]:
    """Yields the metadata of every distribution, also of those that others shadow.

    Folders are listed here rather than by `importlib_metadata`, whose import alone takes as long as finding a hundred
    packs; zip files on the path, and finders of other libraries, are left to it.

    Args:
        report: called with the name of what cannot be searched, and why.
    """
    for finder in list(sys.meta_path):
        # A finder that fails must not hide what the others find.
        try:
            find = getattr(finder, "find_distributions", None)
            if find is not None and not belongs_to_python(finder):
                yield from _of_distributions(find(_context(None)), report)
        except Exception as error:
            report(f"finder {type(finder).__name__}", error)
    for entry in [path for path in sys.path if isinstance(path, str)]:
        try:
            yield from _in_folder(entry)
        except NotADirectoryError:
            try:
                yield from _of_distributions(_in_archive(entry), report)
            except Exception as error:
                report(f"archive {os.path.basename(entry)}", error)
        except OSError:
            continue


def belongs_to_python(finder: Any) -> bool:
    """Returns whether a finder searches ``sys.path`` alone: one of Python's, or that of `importlib_metadata`."""
    return getattr(finder, "__module__", type(finder).__module__) in _OF_PYTHON


def _in_folder(entry: str) -> Iterator[MetadataFolder]:
    # The same folder may be written in several ways, and is one.
    folder = str(Path(entry))
    egg = folder.lower().endswith(".egg")
    for name in os.listdir(folder):
        folded = name.lower()
        if folded.endswith((".dist-info", ".egg-info")) or (egg and folded == "egg-info"):
            yield MetadataFolder(os.path.join(folder, name))


def _in_archive(entry: str) -> Iterator[Any]:
    import importlib_metadata

    yield from importlib_metadata.MetadataPathFinder.find_distributions(_context([entry]))


def _context(path: list[str] | None) -> Any:
    import importlib_metadata

    finder: Any = importlib_metadata.DistributionFinder
    return finder.Context() if path is None else finder.Context(path=path)


def _of_distributions(distributions: Iterable[Any], report: Report) -> Iterator[MetadataFolder]:
    for distribution in distributions:
        # A distribution of a third-party finder may raise anything.
        try:
            path = getattr(distribution, "_path", None)
            name = str(path or distribution.metadata["Name"])
        except Exception as error:
            report(type(distribution).__name__, error)
            continue
        yield MetadataFolder(name, None if isinstance(path, Path) else distribution)

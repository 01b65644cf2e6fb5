"""The mistakes of one configuration, collected with their places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from essmc_core.contract.checking import Path
from essmc_core.errors import EssmcError, Issue, SchemaError

if TYPE_CHECKING:
    from collections.abc import Collection

    from essmc_core.config import Config
    from essmc_core.location import Location


class Mistakes:
    """The mistakes of a configuration.

    Args:
        root: the mapping that positions are looked up in, if it came from a file.
        prefix: dotted path of the root within the user's file, for messages.

    Attributes:
        issues: in the order of the file.
        cause: the error of the first look-up that failed.
    """

    def __init__(self, root: Config | None = None, prefix: str = "") -> None:
        self.issues: list[Issue] = []
        self.cause: EssmcError | None = None
        self._places: list[Path] = []
        self._root = root
        self._prefix = prefix

    def __len__(self) -> int:
        return len(self.issues)

    def add(self, path: Path, message: str, hint: str = "", key: bool = False) -> None:
        """Records a mistake; see `essmc_core.contract.checking.Checker.mistake`."""
        dotted = ".".join(str(part) for part in path)
        shown = f"{self._prefix}.{dotted}".strip(".") or "(top)"
        self.issues.append(Issue(shown, message, self._where(path, key), hint))
        self._places.append(path)

    def broken_arguments(self, path: Path, since: int) -> Collection[str | int]:
        """Returns the arguments of a component that do not fit; mistakes inside nested components do not count.

        Args:
            path: where the component is.
            since: the number of mistakes before it.
        """
        found = [place[len(path) :] for place in self._places[since:] if place[: len(path)] == path]
        return {place[0] for place in found if len(place) == 1 or (len(place) == 2 and isinstance(place[1], int))}

    def _where(self, path: Path, key: bool) -> Location | None:
        if self._root is None:
            return None
        for length in range(len(path), -1, -1):
            part = path[:length]
            found = self._root.where_key(*part) if key and length == len(path) and part else None
            found = found or self._root.where(*part)
            if found is not None:
                return found
        return None


def raise_issues(issues: list[Issue], cause: EssmcError | None) -> None:
    """Raises the mistakes, if any: a lone look-up failure as itself, all else as one error."""
    if not issues:
        return
    if len(issues) == 1 and cause is not None:
        cause.where = cause.where or issues[0].where
        raise cause
    raise SchemaError(issues) from cause

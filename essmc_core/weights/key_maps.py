"""Key maps: pairs of regular expression and replacement, written out or referred to by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from essmc_core.errors import ConfigError
from essmc_core.weights.layouts.layout import AnyLayout

PAIRS = "pairs of regular expression and replacement, or the name of a key map (`essmc list key_maps`)"


class NamedKeyMaps(Protocol):
    """Key maps by name: those that packs register, and those that zoo entries state for their weights."""

    def find(self, name: str) -> object:
        """Looks up a name without importing anything.

        Raises:
            ConfigError: there is no such key map.
        """

    def pairs(self, name: str) -> object:
        """Returns the pairs of a name.

        Raises:
            ConfigError: there is no such key map.
        """

    def layouts(self) -> Sequence[AnyLayout]:
        """Returns the layouts that files are recognised by."""


class _Unknown:
    """A look-up without any key maps."""

    def find(self, name: str) -> object:
        raise ConfigError(f"no key map is called {name!r}", hint="Write the pairs themselves.")

    pairs = find

    def layouts(self) -> Sequence[AnyLayout]:
        return ()


class KeyMapNames:
    """The look-up of key maps by name; it has none until the default registries are attached."""

    def __init__(self) -> None:
        self._known: NamedKeyMaps = _Unknown()

    def look_up_in(self, known: NamedKeyMaps) -> None:
        """Sets where names are looked up from now on."""
        self._known = known

    def find(self, name: str) -> None:
        """Checks that there is such a key map, without importing anything.

        Raises:
            ConfigError: there is none.
        """
        self._known.find(name)

    def pairs(self, name: str) -> tuple[tuple[str, str], ...]:
        """Returns a key map by name.

        Raises:
            ConfigError: there is none of that name, or it is not a valid key map.
        """
        return check_key_map(self._known.pairs(name))

    def layouts(self) -> Sequence[AnyLayout]:
        """Returns the layouts that packs register."""
        return self._known.layouts()


NAMES = KeyMapNames()


def check_key_map(pairs: object) -> tuple[tuple[str, str], ...]:
    """Checks that every pair is a regular expression and a replacement that fits it.

    Raises:
        ConfigError: something else, or an expression that does not compile.
    """
    if isinstance(pairs, (str, Mapping)) or not isinstance(pairs, Sequence):
        raise ConfigError(f"The weights' key_map is {pairs!r}, not {PAIRS}.")
    checked: list[tuple[str, str]] = []
    for position, pair in enumerate(pairs):
        is_pair = isinstance(pair, Sequence) and not isinstance(pair, str) and len(pair) == 2
        if not is_pair or not all(isinstance(part, str) for part in pair):
            raise ConfigError(f"key_map[{position}] is {pair!r}, not a pair of regular expression and replacement.")
        pattern, replacement = pair
        try:
            re.compile(pattern)
            # The empty alternative always matches, so that the replacement is expanded and its groups are checked.
            re.sub(f"{pattern}|", replacement, "")
        except (re.error, IndexError) as error:
            raise ConfigError(f"key_map[{position}] {list(pair)!r} cannot be used: {error}.") from error
        checked.append((pattern, replacement))
    return tuple(checked)

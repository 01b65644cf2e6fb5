"""The names of a pack, all from the one that its author gives."""

from __future__ import annotations

import re
from dataclasses import dataclass

from essmc_core.errors import EssmcError
from essmc_core.foundation.names import normalise_distribution

_LONGEST = 40
_RESERVED = ("core", "local", "zoo", "commands")
"""Short names that no pack may have; discovery refuses them."""


class PackNameError(EssmcError, ValueError):
    """A name that no pack can have."""


@dataclass(frozen=True, slots=True)
class PackNames:
    """What a pack is called, and where.

    Attributes:
        distribution: for pip, e.g. ``essmc-cosine``.
        package: for Python's import, e.g. ``essmc_cosine``.
        short: for essmc, e.g. ``cosine``.
        prefix: what the names of its classes begin with, e.g. ``Cosine``.
    """

    distribution: str
    package: str
    short: str
    prefix: str

    @property
    def entry(self) -> str:
        """Name of its zoo entry, e.g. ``cosine_tiny``."""
        return f"{self.package.removeprefix('essmc_')}_tiny"


def names_from(name: str) -> PackNames:
    """Returns the names of a pack from ``cosine``, ``essmc-cosine``, ``Cosine`` or ``My Pack``.

    Raises:
        PackNameError: the name is empty, too long, reserved, a path, or has other characters than letters, digits,
            dashes, underscores, dots and spaces.
    """
    words = re.sub(r"(?i)^essmc[-_. ]+", "", name.strip())
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._ -]*[A-Za-z0-9])?", words) or words.lower() == "essmc":
        raise PackNameError(f"{name!r} cannot name a pack", hint=_remedy(name))
    if words[0].isdigit():
        raise PackNameError(
            f"{name!r} cannot name a pack: classes are named after it, and no class begins with a digit",
            hint="begin with a letter, e.g. net-3d for 3d-net",
        )
    short = normalise_distribution(words.replace(" ", "-"))
    if len(short) > _LONGEST:
        raise PackNameError(f"{short!r} has {len(short)} characters; {_LONGEST} are the most for the name of a pack")
    if short in _RESERVED:
        raise PackNameError(
            f"no pack may be called {short!r}, which essmc means something else by", hint=f"e.g. my-{short}"
        )
    prefix = "".join(word[0].upper() + word[1:] for word in re.split(r"[-_. ]+", words))
    return PackNames(f"essmc-{short}", f"essmc_{short.replace('-', '_')}", short, prefix)


def _remedy(name: str) -> str:
    if "/" in name or "\\" in name:
        return "give the name alone, and the folder it goes into by --into"
    return "use letters, digits and dashes, e.g. `essmc new-pack cosine`"

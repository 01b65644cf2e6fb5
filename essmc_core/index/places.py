"""The places that ``ESSMC_INDEX`` names: files and addresses, each with the digest it may have to have."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from essmc_core.foundation.addresses import public_address

_SCHEMES = ("http", "https", "file")
# A colon separates paths, and is a part of addresses: it ends a place if a path or an address begins after it.
_BETWEEN = (
    re.compile(r":(?!//)(?=[/~.]|(?:https?|file)://)") if os.pathsep == ":" else re.compile(re.escape(os.pathsep))
)
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Place:
    """One index by name.

    Attributes:
        address: a path or address, without fragment.
        sha256: expected digest in lower case, empty if none is stated.
        problem: why it cannot be used, empty if it can.
    """

    address: str
    sha256: str = ""
    problem: str = ""

    @property
    def is_remote(self) -> bool:
        """Whether it has to be fetched."""
        return self.address.startswith(("http://", "https://"))

    @property
    def path(self) -> Path:
        """The file of a place that is not remote."""
        if self.address.startswith("file://"):
            parts = urlsplit(self.address)
            return Path(url2pathname(unquote(parts.path)))
        return Path(self.address).expanduser()

    @property
    def shown(self) -> str:
        """The address without credentials, for messages."""
        return public_address(self.address)


def further_places(value: str) -> list[Place]:
    """Returns the places that ``ESSMC_INDEX`` names, in their order.

    Args:
        value: paths and addresses, separated by commas or by what separates paths in ``PATH``.
    """
    parts = (part for piece in value.split(",") for part in _BETWEEN.split(piece))
    return [_place(part.strip()) for part in parts if part.strip()]


def _place(text: str) -> Place:
    scheme, separator, _ = text.partition("://")
    if separator and scheme.lower() not in _SCHEMES:
        return Place(text, problem=f"{scheme}:// is not understood: it names files and http(s) addresses")
    if separator:
        text = f"{scheme.lower()}://{text.partition('://')[2]}"
    address, has_fragment, fragment = text.partition("#")
    if not has_fragment:
        return Place(address)
    name, _, digest = fragment.partition("=")
    if name != "sha256" or _DIGEST.fullmatch(digest) is None:
        return Place(address, problem=f"#{fragment} is no #sha256=… with 64 hexadecimal digits")
    return Place(address, digest.lower())

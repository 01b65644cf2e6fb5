"""Addresses as they may be shown and kept: without credentials and queries, which carry tokens."""

from __future__ import annotations

import re

# A password may have an @ of its own. One with a slash is wrong, and is written all the same; a number before a slash
# is a port.
_PRIVATE = re.compile(r"(?<=://)(?:[^/\s:@]+:(?!\d+/)[^\s@]*@)?(?:[^/\s]*@)?|\?[^#]*")


def public_address(address: str) -> str:
    """Returns an address without credentials and query; a path stays as it is."""
    return _PRIVATE.sub("", address) if "://" in address else address

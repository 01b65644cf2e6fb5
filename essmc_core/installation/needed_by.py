"""Which installed distributions require a distribution."""

from __future__ import annotations

import re
from collections.abc import Collection
from importlib import metadata

from essmc_core.foundation.names import normalise_distribution

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def needed_by(distributions: Collection[str]) -> dict[str, list[str]]:
    """Returns, per distribution, the others that require it; those that require it for an extra alone do not count.

    Args:
        distributions: normalised names; they do not count for each other.
    """
    found: dict[str, set[str]] = {name: set() for name in distributions}
    for installed in metadata.distributions():
        # Metadata of any distribution may be damaged.
        try:
            own, lines = normalise_distribution(installed.metadata["Name"]), installed.requires or []
        except Exception:
            continue
        if own in distributions:
            continue
        for line in lines:
            named = _NAME.match(line)
            if named is not None and "extra ==" not in line and normalise_distribution(named[1]) in found:
                found[normalise_distribution(named[1])].add(own)
    return {name: sorted(others) for name, others in found.items() if others}

"""Licences as SPDX expressions: how they are spelled, and which permit commercial use."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable

from essmc_core.errors import ConfigError
from essmc_core.foundation.names import did_you_mean

UNKNOWN = "unknown"
"""Stands for a licence that nobody has stated. It permits nothing."""

# Licences of the SPDX list (https://spdx.org/licenses) that permit every use: those that are marked there as approved
# by the OSI, whose definition forbids to exclude fields of endeavour (clause 6), or as free by the FSF (freedom 0), and
# the licences of Creative Commons, Open Data Commons and the Linux Foundation for data that do not say NonCommercial.
_COMMERCIAL = (
    "0BSD", "AFL-3.0", "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-1.1", "Apache-2.0", "Artistic-2.0",
    "BlueOak-1.0.0", "BSD-1-Clause", "BSD-2-Clause", "BSD-2-Clause-Patent", "BSD-3-Clause", "BSD-3-Clause-Clear",
    "BSD-3-Clause-LBNL", "BSL-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC0-1.0", "CDDL-1.0",
    "CDDL-1.1", "CDLA-Permissive-1.0", "CDLA-Permissive-2.0", "CDLA-Sharing-1.0", "CECILL-2.1", "CECILL-B", "CECILL-C",
    "ECL-2.0", "EPL-1.0", "EPL-2.0", "EUPL-1.1", "EUPL-1.2", "GFDL-1.3-or-later", "GPL-2.0-only", "GPL-2.0-or-later",
    "GPL-3.0-only", "GPL-3.0-or-later", "HPND", "IPL-1.0", "ISC", "LGPL-2.1-only", "LGPL-2.1-or-later",
    "LGPL-3.0-only", "LGPL-3.0-or-later", "MIT", "MIT-0", "MPL-1.1", "MPL-2.0", "MS-PL", "MS-RL", "MulanPSL-2.0",
    "NCSA", "ODbL-1.0", "ODC-By-1.0", "OFL-1.1", "OSL-3.0", "PDDL-1.0", "PostgreSQL", "Python-2.0", "QPL-1.0",
    "Unlicense", "UPL-1.0", "W3C", "WTFPL", "X11", "Zlib", "ZPL-2.1",
    # Spelled as SPDX did before, or older versions.
    "AFL-2.1", "AGPL-3.0", "CC-BY-2.0", "CC-BY-2.5", "EUPL-1.0", "GPL-2.0", "GPL-3.0", "LGPL-2.0-only",
    "LGPL-2.0-or-later", "LGPL-2.1", "LGPL-3.0", "MIT-CMU", "OpenSSL", "Ruby", "Vim",
)  # fmt: skip
# Spelled here so that listings need not import packaging.
_RESTRICTED = ("CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "CC-BY-NC-ND-4.0", "CC-BY-ND-4.0")
_BY_FOLDED = {name.casefold(): name for name in (*_COMMERCIAL, *_RESTRICTED, UNKNOWN)}
_REFERENCE = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")
_FOR_ALL_USES = frozenset(_COMMERCIAL)
_TOKEN = re.compile(r"[()]|[^\s()]+")


@functools.cache
def canonical_licence(text: str) -> str:
    """Returns a licence in the spelling of the SPDX list, e.g. ``Apache-2.0`` for ``apache-2.0``.

    Args:
        text: an SPDX expression: an identifier, ``LicenseRef-`` with a name for what is not in the list, or several
            with ``AND``, ``OR`` and ``WITH``; or ``unknown``.

    Raises:
        ConfigError: it is something else.
    """
    if known := _BY_FOLDED.get(text.casefold()):
        return known
    if _REFERENCE.fullmatch(text):
        return text
    # packaging takes milliseconds to import, and nearly all licences are in the table above.
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression as error:
        raise ConfigError(
            f"{text!r} is no SPDX licence expression",
            hint=did_you_mean(text, _BY_FOLDED.values())
            or "https://spdx.org/licenses lists identifiers; LicenseRef-NAME is for others, unknown where nobody says",
        ) from error


def licence_identifiers(names: Iterable[str]) -> frozenset[str]:
    """Returns SPDX identifiers in the spelling of the list.

    Raises:
        ConfigError: one of them is none; an expression of several, or ``unknown``, is none either.
    """
    found = frozenset(canonical_licence(name.strip()) for name in names)
    for name in found:
        if name == UNKNOWN or " " in name:
            raise ConfigError(f"{name!r} is not one licence", hint="give SPDX identifiers, e.g. Apache-2.0,MIT")
    return found


def permits(expression: str, granted: Callable[[str], bool]) -> bool:
    """Returns whether a licence grants something: every part joined by ``AND``, one of those joined by ``OR``.

    Args:
        expression: a canonical SPDX expression, or ``unknown``, which grants nothing.
        granted: returns whether a single licence grants it.
    """
    if expression == UNKNOWN:
        return False
    # An exception (WITH) only adds permissions, and `+` only admits later versions.
    tokens = _TOKEN.findall(re.sub(r" WITH \S+?(?=[\s()]|$)", "", expression))
    return _any(tokens, granted)


def permits_commercial_use(expression: str) -> bool:
    """Returns whether a licence is known to permit commercial use."""
    return permits(expression, _FOR_ALL_USES.__contains__)


def _any(tokens: list[str], granted: Callable[[str], bool]) -> bool:
    found = _all(tokens, granted)
    while tokens and tokens[0] == "OR":
        tokens.pop(0)
        # The right side has to be read even if it changes nothing.
        found = _all(tokens, granted) or found
    return found


def _all(tokens: list[str], granted: Callable[[str], bool]) -> bool:
    found = _single(tokens, granted)
    while tokens and tokens[0] == "AND":
        tokens.pop(0)
        found = _single(tokens, granted) and found
    return found


def _single(tokens: list[str], granted: Callable[[str], bool]) -> bool:
    token = tokens.pop(0)
    if token != "(":
        return granted(token.removesuffix("+"))
    found = _any(tokens, granted)
    tokens.pop(0)
    return found

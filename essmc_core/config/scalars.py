"""The value of an unquoted YAML scalar: the core schema of YAML 1.2, without surprising numbers or dates.

========================  =======================================================================================
written                   read as
========================  =======================================================================================
``~ null Null NULL``      None, and so is nothing at all
``true false``            booleans, also ``True TRUE False FALSE``; ``yes no on off`` are strings
``42 -7 010 0x1F 0o17``   integers; ``010`` is ten
``1e-3 1E5 .5 5. 1.0``    floats
``.inf -.inf .nan``       floats, also ``.Inf .INF .NaN .NAN``
``1:30 2024-01-31 1_000`` strings, as is everything else
========================  =======================================================================================
"""

from __future__ import annotations

import re

NULL = re.compile(r"~|null|Null|NULL|")
BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

MAX_DIGITS = 1000
"""Largest number of digits of an integer: Python limits decimal ones only, and is slow to print others."""

# First characters of scalars that are not strings; most are strings, which saves matching four patterns.
_FIRST = frozenset("~nNtTfF+-.0123456789")

_STANDARD = "tag:yaml.org,2002:"
STR_TAG = _STANDARD + "str"
MAP_TAG = _STANDARD + "map"
SEQ_TAG = _STANDARD + "seq"


def resolve_plain(text: str) -> object:
    """Returns the value of an unquoted scalar.

    Raises:
        ValueError: an integer with more digits than Python converts.
    """
    if text and text[0] not in _FIRST:
        return text
    if NULL.fullmatch(text):
        return None
    if BOOL.fullmatch(text):
        return text.lower() == "true"
    if INT.fullmatch(text):
        return _to_int(text)
    if FLOAT.fullmatch(text):
        return _to_float(text)
    return text


def resolve_tagged(tag: str, text: str) -> object:
    """Returns the value of a scalar with one of YAML's own scalar tags, such as ``!!float 1``.

    Raises:
        ValueError: the text is not of that type.
        LookupError: not one of ``!!str !!int !!float !!bool !!null``.
    """
    if tag == STR_TAG:
        return text
    if tag == _STANDARD + "float" and (FLOAT.fullmatch(text) or INT.fullmatch(text)):
        return _to_float(text) if FLOAT.fullmatch(text) else float(_to_int(text))
    for name, pattern in (("int", INT), ("bool", BOOL), ("null", NULL)):
        if tag == _STANDARD + name and pattern.fullmatch(text):
            return resolve_plain(text)
    if tag in {_STANDARD + name for name in ("float", "int", "bool", "null")}:
        raise ValueError(f"{text!r} is not of type {tag.removeprefix(_STANDARD)}")
    raise LookupError(tag)


def short_tag(tag: str) -> str:
    """Returns the tag as it is written in a file."""
    return "!!" + tag.removeprefix(_STANDARD) if tag.startswith(_STANDARD) else tag


def _to_int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(text)} digits; at most {MAX_DIGITS} are read")
    bases = {"0o": 8, "0x": 16}
    return int(text, bases.get(text[:2], 10))


def _to_float(text: str) -> float:
    # Python spells the special values without the dot.
    return float(text.replace(".", "", 1)) if text.lstrip("+-").lower() in {".inf", ".nan"} else float(text)

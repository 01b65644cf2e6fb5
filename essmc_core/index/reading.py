"""Reads an index from text, or says in one message why it is none."""

from __future__ import annotations

import json
from importlib import resources

from essmc_core.errors import EssmcError
from essmc_core.foundation.error_text import shortened
from essmc_core.index.schema import VERSION, Index


class IndexUnusable(EssmcError, ValueError):
    """An index that is not there, cannot be reached, is not the expected one, or is not in the form of indexes."""


def read_index(text: str | bytes, name: str) -> Index:
    """Returns an index.

    Args:
        text: its JSON.
        name: of the file or address, for messages.

    Raises:
        IndexUnusable: it is not JSON, not an index, or one of a later version.
    """
    from pydantic import ValidationError

    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise IndexUnusable(f"{name} is not JSON: {shortened(str(error), 200)}", hint=_HOW) from error
    version = plain.get("version") if isinstance(plain, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise IndexUnusable(f"{name} is no index: it states no version", hint=_HOW)
    if version > VERSION:
        message = f"{name} is an index of version {version}, and this essmc-core reads up to version {VERSION}"
        raise IndexUnusable(message, hint="pip install -U essmc-core")
    try:
        return Index.model_validate(plain)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise IndexUnusable(f"{name} is no index: {place}: {first['msg']}", hint=_HOW) from error


def shipped_index() -> Index:
    """Returns the index that comes with essmc-core, of the packs that are developed with it."""
    text = resources.files("essmc_core.index").joinpath("shipped.json").read_text(encoding="utf-8")
    return read_index(text, "the index of essmc-core")


_HOW = "`essmc index PACK… -o index.json` writes one"

"""Values that JSON can hold: NaN and infinity are none, though Python's json writes them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def json_values(value: Any) -> Any:
    """Returns the same data with null in place of numbers that are not finite, in whatever depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_key(key): json_values(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_values(item) for item in value]
    return value


def to_json(value: Any, *, indent: int | None = None, ensure_ascii: bool = False) -> str:
    """Returns JSON that any reader takes; objects that it has no form for become text."""
    plain = json_values(value)
    return json.dumps(plain, indent=indent, ensure_ascii=ensure_ascii, default=str, allow_nan=False)


def _key(key: Any) -> Any:
    return str(key) if isinstance(key, float) and not math.isfinite(key) else key

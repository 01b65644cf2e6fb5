"""Entries of JSON lists, and reading them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from essmc_data.errors import ListError


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a list.

    Attributes:
        file: path or URL of the list.
        number: counted from 0.
        content: as JSON says it.
    """

    file: str
    number: int
    content: Any

    def error(self, message: str, hint: str = "") -> ListError:
        """Returns an error that names this entry."""
        mark = ":" if message[:1].isupper() else ""
        return ListError(f"{self.file}: entry {self.number}{mark} {message}", hint=hint)


def parse_json(file: str, text: str) -> Any:
    """Returns what a JSON text says.

    Raises:
        ListError: it is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ListError(f"{file}:{error.lineno}: this is not JSON: {error.msg}.") from error
    except (RecursionError, ValueError) as error:
        raise ListError(f"{file} is not JSON that can be read: {error}.") from error

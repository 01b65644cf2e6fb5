"""What a file of rows answers: model, weights, options; kept beside it, so that other answers are not mixed in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from essmc_core.foundation.atomic import write_text
from essmc_core.foundation.json_values import to_json
from essmc_core.models.many.row_file import RowFileError


def check_question(output: Path, question: Mapping[str, Any], *, has_rows: bool) -> None:
    """Checks that rows in a file answer the same question, and notes it where there are none.

    Args:
        output: the file of rows.
        question: what is asked, as plain data.
        has_rows: whether there are rows already.

    Raises:
        RowFileError: they answer another, or it is unknown which.
    """
    note = output.with_name(f"{output.name}.run.json")
    asked = json.loads(to_json(question))
    if not has_rows:
        write_text(note, to_json(question, indent=2) + "\n")
        return
    try:
        before = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RowFileError(
            f"{output} exists, and {note.name}, which says what it answers, cannot be read.",
            hint="Name another file, or remove it.",
        ) from error
    keys = [*asked, *(key for key in before if key not in asked)]
    if changed := [key for key in keys if before.get(key) != asked.get(key)]:
        listed = ", ".join(f"{key} {before.get(key)!r} instead of {asked.get(key)!r}" for key in changed)
        raise RowFileError(f"{output} was begun with {listed}.", hint="Name another file, or remove it.")

"""What is written of one file: its path, the best class with its score, or why it could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from essmc_core.models.predicted import Prediction

Row: TypeAlias = Mapping[str, Any]

COLUMNS: Mapping[str, str] = {
    "path": "string", "label": "string", "score": "double", "error": "string", "predictions": "string",
    "segments": "string",
}  # fmt: skip
"""Columns with their types; the last two are lists, which formats without lists hold as JSON."""


def row_of(prediction: Prediction, *, is_ranked: bool) -> Row:
    """Returns the row of a prediction; what it has not is None.

    Args:
        prediction: of one file.
        is_ranked: whether to list several classes.
    """
    best = prediction.predictions[0] if prediction.predictions else None
    shown = prediction.to_dict()
    has_outputs = len({ranked.output for ranked in prediction.predictions}) > 1
    return {
        "path": as_text(prediction.file),
        "label": None if best is None else best.label,
        "score": None if best is None else best.probability,
        "error": " ".join(prediction.error.split()) or None,
        "predictions": shown.get("predictions") if is_ranked or has_outputs else None,
        "segments": shown.get("segments"),
    }


def as_text(path: str) -> str:
    """Returns a path as text of UTF-8, whatever bytes are in it."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

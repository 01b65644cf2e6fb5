"""Numbers as people read them in a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def in_words(values: Mapping[str, float]) -> str:
    """Returns ``loss 0.5123  acc@1 0.8300``."""
    return "  ".join(each_in_words(values))


def each_in_words(values: Mapping[str, float]) -> list[str]:
    """Returns ``loss 0.5123`` and so on, one text a value."""
    return [f"{name} {_short(value)}" for name, value in values.items()]


def leading_parts(parts: Sequence[str], width: int) -> str:
    """Returns as many of the parts as fit, each whole, up to the first that does not."""
    text = ""
    for part in parts:
        longer = f"{text}  {part}" if text else part
        if len(longer) > width:
            break
        text = longer
    return text


def counted(number: int, noun: str) -> str:
    """Returns ``1 epoch`` or ``2 epochs``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(seconds: float) -> str:
    """Returns ``12.3 s`` or ``1:02:03``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def _short(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{value:.3e}" if value != 0 and not 1e-3 <= abs(value) < 1e5 else f"{value:.4f}"

"""What an exception of anybody's says, even where its own text fails."""

from __future__ import annotations

_LONGEST = 2000


def text_of(error: BaseException) -> str:
    """Returns ``str(error)`` without surrounding space, empty where that fails or is no text."""
    # The exception is somebody else's, and so is what its __str__ raises.
    try:
        return str(error).strip()
    except Exception:
        return ""


def brief(error: BaseException) -> str:
    """Returns ``Type: text`` on one line, hints left out; the type alone where there is no text.

    An exception may hold a whole file or a network as text, of which the beginning is shown.
    """
    message, where = getattr(error, "message", None), getattr(error, "where", None)
    text = message if isinstance(message, str) and message else text_of(error)
    text = " ".join((f"{where}: {text}" if where is not None and text is message else text).split())
    return f"{type(error).__name__}: {shortened(text, _LONGEST)}" if text else type(error).__name__


def shortened(text: str, longest: int) -> str:
    """Returns a text whole, or its beginning and how many characters follow."""
    return text if len(text) <= longest else f"{text[:longest]} … ({len(text) - longest:,} more characters)"


def add_note(error: BaseException, note: str) -> None:
    """Adds a line to what tracebacks and the command line show of an exception, whatever its type."""
    # BaseException.add_note is new in Python 3.11; tracebacks and the command line read the attribute alike.
    notes = [*getattr(error, "__notes__", ()), note]
    error.__notes__ = notes  # type: ignore[attr-defined,unused-ignore]

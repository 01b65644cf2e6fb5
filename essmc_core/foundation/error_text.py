"""The text of any exception, even one whose ``__str__`` fails."""

from __future__ import annotations

_LONGEST = 2000


def text_of(error: BaseException) -> str:
    """Returns ``str(error)`` without surrounding space, empty if that fails or is not a string."""
    # The __str__ of a third-party exception may raise anything.
    try:
        return str(error).strip()
    except Exception:
        return ""


def first_line(error: BaseException, otherwise: str = "no message") -> str:
    """Returns the first line of an exception's text, or something else if it has none."""
    return (text_of(error).splitlines() or [otherwise])[0].rstrip()


def brief(error: BaseException) -> str:
    """Returns ``Type: text`` on one line, without hints; the type alone if there is no text.

    A long text, such as a whole file or the repr of a network, is shortened.
    """
    message, where = getattr(error, "message", None), getattr(error, "where", None)
    text = message if isinstance(message, str) and message else text_of(error)
    text = " ".join((f"{where}: {text}" if where is not None and text is message else text).split())
    return f"{type(error).__name__}: {shortened(text, _LONGEST)}" if text else type(error).__name__


def shortened(text: str, longest: int) -> str:
    """Returns a text unchanged, or its beginning and how many characters follow."""
    return text if len(text) <= longest else f"{text[:longest]} … ({len(text) - longest:,} more characters)"


def add_note(error: BaseException, note: str) -> None:
    """Adds a line to an exception of any type, which tracebacks and the command line show."""
    # BaseException.add_note is new in Python 3.11; tracebacks and the command line read the attribute directly.
    notes = [*getattr(error, "__notes__", ()), note]
    error.__notes__ = notes  # type: ignore[attr-defined,unused-ignore]

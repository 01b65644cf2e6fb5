"""Takes secrets, user names and home folders out of texts that are pasted into public places."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

_LEFT_OUT = "…"
_CREDENTIALS = re.compile(r"(?<=//)[^\s/@'\"]+(?:@[^\s/@'\"]*)*@")
# Passwords with a slash are wrong in addresses, and are written all the same; a number before one is a port.
_WITH_SLASH = re.compile(r"(?<=//)[^\s/@:'\"]+:(?!\d+/)[^\s@'\"]*@(?=[\w\[])")
# Proxies are often named without a scheme.
_BARE = re.compile(r"(?<![\w/.@:\\-])[\w.+%-]+:[^\s/@'\"]+@(?=[A-Za-z])")
_QUERY = re.compile(r"(\w://[^\s?#'\"]*)\?[^\s#'\"]*")
_NAMED = re.compile(
    r"""(?ix)
    ( [\w-]* (?: token | secret | passw(?:or)?d | passwd | passphrase | credential s? | api [_-]? key | access [_-]? key
      | private [_-]? key | authori[sz]ation | cookie ) [\w-]* ["']? \s* [=:] \s* )
    (?: "[^"]*" | '[^']*' | (?: (?:bearer|basic|token) \s+ )? [^\s,;"']+ )
    """
)
_OPTIONS = re.compile(
    r"(?i)((?<!\S)--[\w-]*(?:token|secret|passw(?:or)?d|passphrase|credentials?|-key)\s+)(?!-)[^\s,;\"']+"
)
# A word after a variable's name may be ordinary; with a figure in it, it is rather a value.
_VARIABLES = re.compile(r"(\b[A-Z][A-Z0-9_]*_(?:KEY|TOKEN|SECRET|PASSWORD)\s+)(?=[^\s,;\"']*\d)[^\s,;\"']+")
_BEARER = re.compile(r"(?i)\b(bearer|basic)(\s+)[\w.~+/=-]{8,}")
# Tokens that are known by their beginning, of hubs, forges, clouds and web tokens.
_TOKENS = re.compile(
    r"\b(?:hf_\w{8,}|gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|pypi-[\w-]{16,}|sk-[\w-]{16,}|xox[abps]-[\w-]{8,}"
    r"|nvapi-[\w-]{8,}"
    r"|AKIA[0-9A-Z]{12,}|ASIA[0-9A-Z]{12,}|AIza[\w-]{20,}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*)"
)
_HOMES = re.compile(
    r"(?:(?<![\w/\\.])|(?<=file://)|(?<=file:///))"
    r"(?:/(?:[\w.-]+/){0,3}(?:home|Users)/|(?:[A-Za-z]:|\\\\[\w.-]+)[\\/]+Users[\\/]+)"
    r"(?:[^\s/\\:;,'\"<>|)\]]+(?: [^\s/\\:;,'\"<>|)\]]+){0,2}(?=\\)|[^\s/\\:;,'\"<>|)\]]+)"
)


def redacted(text: str) -> str:
    """Returns a text without credentials and tokens, with ``~`` for home folders and ``USER`` for the user's name.

    Args:
        text: any text, e.g. a message of an error or the value of a variable.
    """
    for change in _changes():
        text = change(text)
    return text


def _changes() -> list[Callable[[str], str]]:
    found: list[Callable[[str], str]] = [
        lambda text: _CREDENTIALS.sub("", text),
        lambda text: _WITH_SLASH.sub("", text),
        lambda text: _BARE.sub("", text),
        lambda text: _QUERY.sub(rf"\1?{_LEFT_OUT}", text),
        lambda text: _NAMED.sub(rf"\1{_LEFT_OUT}", text),
        lambda text: _OPTIONS.sub(rf"\1{_LEFT_OUT}", text),
        lambda text: _VARIABLES.sub(rf"\1{_LEFT_OUT}", text),
        lambda text: _BEARER.sub(rf"\1\2{_LEFT_OUT}", text),
        lambda text: _TOKENS.sub(_LEFT_OUT, text),
    ]
    found += [_replacing_home(home) for home in _own_homes()]
    found.append(lambda text: _HOMES.sub("~", text))
    found += [_replacing_user(name) for name in _own_names()]
    return found


def _own_homes() -> list[str]:
    homes = {os.path.expanduser("~"), os.environ.get("HOME", ""), os.environ.get("USERPROFILE", "")}
    resolved = {os.path.realpath(home) for home in homes if home}
    return sorted((home for home in homes | resolved if len(home.strip("/\\")) > 1), key=len, reverse=True)


def _own_names() -> list[str]:
    names = {os.environ.get(name, "") for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER")}
    names |= {os.path.basename(home) for home in _own_homes()}
    return sorted((name for name in names if len(name) > 1 and name not in ("root", "~")), key=len, reverse=True)


def _replacing_home(home: str) -> Callable[[str], str]:
    slashes = home.replace("\\", "/")
    pattern = re.compile(rf"(?<![\w.]){re.escape(home)}(?![\w.-])|(?<![\w.]){re.escape(slashes)}(?![\w.-])")
    return lambda text: pattern.sub("~", text)


def _replacing_user(name: str) -> Callable[[str], str]:
    """Replaces a user's name as a part of a path or before a host; elsewhere it may be an ordinary word."""
    word = re.escape(name)
    pattern = re.compile(rf"(?<=[/\\~]){word}(?![\w.-])|(?<=[/\\-]){word}(?=[/\\])|(?<![\w.@/\\-]){word}(?=@)")
    return lambda text: pattern.sub("USER", text)

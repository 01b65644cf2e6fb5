"""The sections that a configuration may have, and errors for others, in files and in overrides."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from essmc_core.errors import Issue, OverrideError
from essmc_core.foundation.names import did_you_mean, nearest
from essmc_core.zoo.facts import SECTIONS as ENTRY_SECTIONS

if TYPE_CHECKING:
    from essmc_core.config import Config

OWN_PREFIX = "x-"
"""Prefix of the user's own sections, which are not read."""
STARTING = ("zoo", "knobs", "pretrained")
"""Sections of a file based on a zoo entry, which replace ``model``."""
SECTIONS = tuple(dict.fromkeys((*ENTRY_SECTIONS, *STARTING, "code")))
_DESCRIPTIVE = ("summary", "results", "cost", "paper", "aliases", "notes", "weights_note", "check", "command")


def is_known(section: str, sections: Collection[str] = SECTIONS) -> bool:
    """Returns whether a configuration may have a section."""
    return section in sections or section.startswith(OWN_PREFIX)


def unknown_sections(config: Config, sections: Collection[str] = SECTIONS) -> list[Issue]:
    """Returns a mistake for each section that a configuration cannot have.

    Args:
        config: a whole file; one with a ``type`` at its top is a component and has no sections.
        sections: those that it may have, besides the user's own sections.
    """
    wrong = [key for key in config if not is_known(key, sections)]
    listed = ", ".join(sections)
    hint = f"there is {listed}, and sections of your own begin with {OWN_PREFIX}"
    return [
        Issue(
            key, f"a configuration has no section {key!r}", config.where_key(key), did_you_mean(key, sections) or hint
        )
        for key in wrong
    ]


def check_override(path: str, config: Config, name: str) -> None:
    """Raises for an override that would have no effect.

    Args:
        path: dotted path of the value to set, of more than one part.
        config: a whole file, as it is without the override.
        name: name of the configuration, for messages.

    Raises:
        OverrideError: it does not begin with a section, or refers to nothing that the file states about the model.
    """
    section, _, rest = path.partition(".")
    if not is_known(section):
        raise OverrideError(
            f"{name} has no section {section!r}, which the override of {path!r} begins with",
            hint=_nearest(section, rest, config) or f"there is {', '.join(SECTIONS)}",
        )
    if section in _DESCRIPTIVE and not has_path(config, path.split(".")):
        raise OverrideError(
            f"{name} has no {path!r} to override", hint=f"`{section}` describes the model; nothing is built from it"
        )


def _nearest(section: str, rest: str, config: Config) -> str:
    """Returns a suggestion: a section, or a part of the model written without ``model.``."""
    model = config.get("model")
    parts = [key for key in model if key != "type"] if isinstance(model, Mapping) else []
    meant = {**{part: f"model.{part}.{rest}" for part in parts}, **{known: f"{known}.{rest}" for known in SECTIONS}}
    found = [meant[near] for near in nearest(section, meant, 1)]
    return f"did you mean {found[0]!r}?" if found else ""


def has_path(config: Mapping[str, object], path: Sequence[str]) -> bool:
    """Returns whether a configuration holds a value at a path, given as its parts."""
    value: object = config
    for part in path:
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, (list, tuple)) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return False
    return True

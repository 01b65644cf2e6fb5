"""Files based on a zoo entry: ``zoo: name`` with ``knobs`` in place of ``model``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from essmc_core.errors import ConfigError, OverrideError, SchemaError
from essmc_core.zoo.knobs import Knobs
from essmc_core.zoo.labels import configured_counts
from essmc_core.zoo.licence import without_weights_licence
from essmc_core.zoo.sections import STARTING, unknown_sections

if TYPE_CHECKING:
    from essmc_core.config import Config
    from essmc_core.zoo.zoo import Zoo, ZooEntry

Changes: TypeAlias = "Sequence[str] | Mapping[str, object]"
# An entry's sections about its own training and its metadata do not apply to a file based on it.
_NOT_TAKEN = ("data", "solver", "aliases", "cost", "results", "summary", "notes", "paper", "pretrained", "check")


@dataclass(frozen=True)
class ZooFile:
    """The sections of a file with ``zoo``.

    Attributes:
        own: the file alone.
        combined: the entry's sections with the knobs set, and the file's own merged over them.
        entry: the zoo entry.
    """

    own: Config
    combined: Config
    entry: ZooEntry


def as_changes(overrides: str | Changes) -> Changes:
    """Returns overrides as a list or mapping; a string is one override.

    Raises:
        OverrideError: they are something else.
    """
    if isinstance(overrides, str):
        return [overrides]
    if isinstance(overrides, Mapping):
        return overrides
    if not isinstance(overrides, Sequence) or not all(isinstance(text, str) for text in overrides):
        raise OverrideError(f"overrides are {overrides!r}", hint="Give 'path=value', a list of such, or {path: value}.")
    return overrides


def read_zoo_file(config: Config, changes: Changes, zoo: Zoo) -> tuple[ZooFile, Changes]:
    """Reads a file with ``zoo``.

    Args:
        config: the file.
        changes: overrides of it; those of ``zoo``, ``knobs`` and ``pretrained`` are applied first.
        zoo: where the entry is looked up.

    Returns:
        The file's sections, and the remaining overrides.

    Raises:
        UnknownModel: there is no such entry.
        ConfigError: the file cannot be used as it is written.
    """
    first, rest = _divided(changes)
    config = config.with_overrides(first)
    _check(config)
    try:
        entry = zoo.entry(config["zoo"])
    except LookupError as error:
        error.where = getattr(error, "where", None) or config.where("zoo")  # type: ignore[attr-defined]
        raise
    return ZooFile(config, _combined(config, entry), entry), rest


def _combined(config: Config, entry: ZooEntry) -> Config:
    """Merges a file's own sections over an entry's: ``input`` key by key, any other as a whole."""
    written = entry.config
    knobs = config.get("knobs") or {}
    try:
        changed = written.with_overrides(Knobs(entry.name, written).expand(knobs)) if knobs else written
    except ConfigError as error:
        wrong = [name for name in knobs if name not in (written.get("knobs") or {})]
        error.where = error.where or config.where_key("knobs", *wrong[:1])
        raise
    replaced = [key for key in config if key not in (*STARTING, "input")]
    if configured_counts(changed) != configured_counts(written):
        # The entry's class names are those of its original head.
        replaced.append("labels")
    if "weights" in config:
        changed = without_weights_licence(changed)
    return changed.without(*_NOT_TAKEN, *replaced).merged(config.without(*STARTING))


def _divided(changes: Changes) -> tuple[Changes, Changes]:
    def starts(path: str) -> bool:
        return path.partition("=")[0].strip().partition(".")[0] in STARTING

    if isinstance(changes, Mapping):
        first = {path: value for path, value in changes.items() if starts(str(path))}
        return first, {path: value for path, value in changes.items() if path not in first}
    texts = [text for text in changes if starts(str(text))]
    return texts, [text for text in changes if text not in texts]


def _check(config: Config) -> None:
    if config.get("model") is not None:
        message = "a configuration has a `model` or a `zoo`, not both"
        raise ConfigError(message, where=config.where_key("zoo"), hint="`knobs:` changes a zoo model's arguments")
    kinds: tuple[tuple[str, Any, str], ...] = (
        ("zoo", str, "the name of a zoo model"),
        ("knobs", Mapping, "a mapping from the entry's arguments to values"),
        ("pretrained", bool, "true or false"),
    )
    for key, kind, expected in kinds:
        if config.get(key) is not None and not isinstance(config[key], kind):
            raise ConfigError(f"`{key}` is {expected}, got {config[key]!r}", where=config.where(key))
    if config["zoo"] is None:
        raise ConfigError("`zoo` is the name of a zoo model", where=config.where("zoo"))
    if issues := unknown_sections(config):
        raise SchemaError(issues)

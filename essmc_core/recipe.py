"""What to build: a zoo name, a file or a mapping, with the user's arguments applied to it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from essmc_core.errors import ConfigError, OverrideError
from essmc_core.labels import configured_counts
from essmc_core.names import did_you_mean
from essmc_core.zoo import SECTIONS

if TYPE_CHECKING:
    from essmc_core.config import Config
    from essmc_core.zoo import ZooEntry

Source: TypeAlias = "str | os.PathLike[str] | Mapping[str, Any]"
Overrides: TypeAlias = "Sequence[str] | Mapping[str, object]"


@dataclass(frozen=True)
class Recipe:
    """A model to build, before anything was looked up.

    Attributes:
        name: zoo name, file or type; for messages and cards.
        config: the whole file or entry, overrides applied.
        model: its ``model`` section.
        prefix: ``model``, or empty where the configuration is the model itself.
        entry: the zoo entry it came from, if any.
    """

    name: str
    config: Config
    model: Config
    prefix: str
    entry: ZooEntry | None = None

    def section(self, name: str) -> Mapping[str, Any]:
        """Returns another section of the file, empty where there is none."""
        value = self.config.get(name) if self.prefix else None
        return value if isinstance(value, Mapping) else {}


def read_recipe(source: Source, overrides: Overrides = (), knobs: Mapping[str, Any] | None = None) -> Recipe:
    """Reads a model's configuration and applies the user's arguments.

    Args:
        source: zoo name, path of a YAML file, or a mapping with ``type`` or with ``model``.
        overrides: ``"model.head.dropout_rate=0.1"`` or ``{"model.head.dropout_rate": 0.1}``; a knob's name may
            stand for its path.
        knobs: arguments by the public names that the entry declares, e.g. ``num_classes``.

    Raises:
        UnknownModel: the name is neither in the zoo nor a file.
        ConfigError: the file cannot be read, or an argument does not apply.
    """
    name, config, entry = _load(source)
    prefix = "" if "type" in config and "model" not in config else "model"
    if prefix and not isinstance(config.get("model"), Mapping):
        raise ConfigError(
            f"{name} has no `model` to build", where=config.where(), hint="write `model:` with a `type` under it"
        )
    declared = config.get("knobs") if prefix else None
    paths = _Knobs(name, declared if isinstance(declared, Mapping) else {})
    written = config
    if overrides:
        config = config.with_overrides(paths.expand_overrides(overrides, prefix))
    if knobs:
        config = config.with_overrides(paths.expand(knobs))
    if prefix and (overrides or knobs):
        config = _without_old_labels(written, config)
    return Recipe(name, config, config["model"] if prefix else config, prefix, entry)


def _load(source: Source) -> tuple[str, Config, ZooEntry | None]:
    from essmc_core.config import Config, load_config
    from essmc_core.defaults import ZOO

    if isinstance(source, Mapping):
        config = Config.from_mapping(source)
        return str(config.get("type", "the given configuration")), config, None
    if isinstance(source, os.PathLike) or _looks_like_file(source):
        return str(source), load_config(Path(source), resolve_pack=ZOO.resolve_pack), None
    entry = ZOO.entry(source)
    return ZOO.table.display_name(entry), entry.config, entry


def _looks_like_file(source: str) -> bool:
    return source.endswith((".yaml", ".yml"))


def _without_old_labels(written: Config, config: Config) -> Config:
    """Drops labels that name the classes of the head as it was written, where the user's has other classes."""
    if config.get("labels") is None or config.where("labels") != written.where("labels"):
        return config
    same = configured_counts(config) == configured_counts(written)
    return config if same else config.with_overrides({"labels": None})


class _Knobs:
    """The public arguments of one model and the configuration paths they stand for."""

    def __init__(self, model: str, declared: Mapping[str, Any]) -> None:
        self._model = model
        self._paths = {name: _as_paths(path) for name, path in declared.items()}

    def expand(self, values: Mapping[str, Any]) -> dict[str, object]:
        changes: dict[str, object] = {}
        for name, value in values.items():
            if name not in self._paths:
                known = f"it takes {', '.join(self._paths)}" if self._paths else "it declares no arguments"
                raise OverrideError(
                    f"{self._model} has no argument {name!r}; {did_you_mean(name, self._paths) or known}",
                    hint="anything else is set by its path, such as model.head.dropout_rate",
                )
            changes.update(dict.fromkeys(self._paths[name], value))
        return changes

    def expand_overrides(self, overrides: Overrides, prefix: str) -> list[str] | dict[str, object]:
        """Puts paths in the place of knobs; a single word that is neither a knob nor a section is refused."""
        if isinstance(overrides, Mapping):
            return {path: value for name, value in overrides.items() for path in self._paths_of(name, prefix)}
        changes: list[str] = []
        for text in overrides:
            name, equals, value = text.partition("=")
            changes.extend(f"{path}{equals}{value}" for path in self._paths_of(name.strip(), prefix))
        return changes

    def _paths_of(self, name: str, prefix: str) -> tuple[str, ...]:
        if name in self._paths:
            return self._paths[name]
        if name and prefix and "." not in name and name not in SECTIONS:
            self.expand({name: None})
        return (name,)


def _as_paths(path: Any) -> tuple[str, ...]:
    return (path,) if isinstance(path, str) else tuple(path)

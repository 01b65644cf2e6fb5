"""Knobs: the public arguments of a model, and the paths in its configuration that they stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from essmc_core.errors import OverrideError
from essmc_core.foundation.names import did_you_mean
from essmc_core.zoo.sections import check_override, is_known

if TYPE_CHECKING:
    from essmc_core.config import Config


class Knobs:
    """The knobs of one model.

    Args:
        model: its name, for messages.
        config: its whole configuration, whose section ``knobs`` declares them; None for a component without sections.
    """

    def __init__(self, model: str, config: Config | None) -> None:
        self._model = model
        self._config = config
        declared = None if config is None else config.get("knobs")
        self._paths = (
            {name: _as_paths(path) for name, path in declared.items()} if isinstance(declared, Mapping) else {}
        )

    def expand(self, values: Mapping[str, Any]) -> dict[str, object]:
        """Returns the changes that values of knobs stand for, by path.

        Raises:
            OverrideError: the model has no such knob.
        """
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

    def expand_overrides(self, overrides: Sequence[str] | Mapping[str, object]) -> list[str] | dict[str, object]:
        """Puts paths in the place of knobs.

        Raises:
            OverrideError: one is neither a knob nor about anything that the configuration has.
        """
        if isinstance(overrides, Mapping):
            return {path: value for name, value in overrides.items() for path in self._paths_of(name)}
        changes: list[str] = []
        for text in overrides:
            name, equals, value = text.partition("=")
            changes.extend(f"{path}{equals}{value}" for path in self._paths_of(name.strip()))
        return changes

    def _paths_of(self, name: str) -> tuple[str, ...]:
        if name in self._paths:
            return self._paths[name]
        if self._config is not None and isinstance(name, str):
            if "." in name.strip("."):
                check_override(name, self._config, self._model)
            elif name and not is_known(name):
                self.expand({name: None})
        return (name,)


def _as_paths(path: Any) -> tuple[str, ...]:
    """Returns the paths that a knob states; any other value is refused when the configuration is checked."""
    stated = path if isinstance(path, (list, tuple)) else (path,)
    return tuple(text for text in stated if isinstance(text, str))

"""What is checked: a registered component with the arguments it is built with."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from essmc_core import REGISTRIES
from essmc_core.registry.component import Component
from essmc_devkit.components.check import NotChecked, brief
from essmc_devkit.components.small_arguments import required_arguments
from essmc_devkit.components.watched_use import WatchedUse, watch


class Subject:
    """A component of any kind.

    Args:
        kind: plural name of its registry.
        config: its name, or a mapping with ``type`` and arguments. Required arguments that it leaves out are found if
            their names and annotations say enough.
        layout: of the small backbone that it is given where it requires one.
    """

    def __init__(self, kind: str, config: str | Mapping[str, Any], *, layout: str = "NCHW") -> None:
        self.kind = kind
        self.given = {"type": config} if isinstance(config, str) else dict(config)
        self.layout = layout
        self._failure = ""

    @cached_property
    def component(self) -> Component:
        """Its record in the registry."""
        return REGISTRIES[self.kind].component(self.given["type"])

    @property
    def name(self) -> str:
        """``kind/name``, as reports call it; the pack's name where a bare name does not resolve."""
        component = self.component
        return f"{self.kind}/{component.name if component.bare else component.qualified}"

    @cached_property
    def config(self) -> dict[str, Any]:
        """Type and arguments.

        Raises:
            NotChecked: an argument is required, and nothing says what it could be.
        """
        required, unknown = required_arguments(self.component, self.layout)
        missing = [name for name in unknown if name not in self.given]
        if missing:
            raise NotChecked(f"nothing says what {', '.join(missing)} could be: give it in a test class")
        return {**required, **self.given}

    def build(self, seed: int = 0, **arguments: Any) -> Any:
        """Builds it anew, nothing shared with what was built before.

        Args:
            seed: of torch's random numbers.
            **arguments: in place of those of the configuration.
        """
        import torch

        torch.manual_seed(seed)
        return REGISTRIES[self.kind].build({**copy.deepcopy(self.config), **arguments})

    def usage(self, made: Any) -> Callable[[], object]:
        """Returns what uses something that was built as its users do; nothing, for what is not called."""
        return lambda: None

    @cached_property
    def watched(self) -> WatchedUse:
        """What happens around it while it is built and used once.

        It has to be the first that is built: a setting that is changed twice to the same is seen once.
        """
        target = self.component.target
        module = target if isinstance(target, str) else getattr(target, "__module__", "")
        return watch(module.partition(":")[0], self.build, self.usage)

    @property
    def guessed(self) -> list[str]:
        """Names of the arguments whose values were found by their names and annotations."""
        return [name for name in self.config if name not in self.given]

    @cached_property
    def built(self) -> Any:
        """What was built once, for checks that leave it as it is; modules are in eval mode.

        Raises:
            NotChecked: it cannot be built, which is a check of its own.
        """
        from torch import nn

        if not self._failure:
            try:
                made = self.build()
            except NotChecked:
                raise
            except Exception as error:
                self._failure = f"it cannot be built: {brief(error)}"
            else:
                return made.eval() if isinstance(made, nn.Module) else made
        raise NotChecked(self._failure)

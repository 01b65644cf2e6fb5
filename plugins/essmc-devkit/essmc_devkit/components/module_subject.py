"""What is checked: a component that is a torch module, with inputs that it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from essmc_devkit.components.check import NotChecked, brief
from essmc_devkit.components.least_input import first_taken
from essmc_devkit.components.subject import Subject

MOST_PARAMETERS = 150_000_000
MOST_SECONDS = 3.0


class ModuleSubject(Subject):
    """A module that is called with one tensor.

    Args:
        kind: plural name of its registry.
        config: its name, or a mapping with ``type`` and arguments.
        input_shape: shape of one input without the batch; found by trying where it is not given.
        layout: of the small backbone that it is given where it requires one.
    """

    def __init__(
        self,
        kind: str,
        config: str | Mapping[str, Any],
        input_shape: Sequence[int] | None = None,
        *,
        layout: str = "NCHW",
    ) -> None:
        super().__init__(kind, config, layout=layout)
        self.given_shape = None if input_shape is None else tuple(input_shape)
        self._is_given = input_shape is not None
        self._seconds = 0.0

    @cached_property
    def module(self) -> nn.Module:
        """The module in eval mode; checks leave it as it is.

        Raises:
            NotChecked: it cannot be built, is no module, or has too many parameters for a check.
        """
        return self.checked_module()

    def checked_module(self) -> nn.Module:
        """Returns what is built, if it is a module of a size that can be checked; see `module`."""
        self.check_size()
        built = self.built
        if not isinstance(built, nn.Module):
            raise NotChecked(f"it is a {type(built).__name__} and no torch.nn.Module")
        return wake(built)

    def check_size(self) -> None:
        """Raises `NotChecked` if a component that is given by its name alone has too many parameters."""
        # Parts that the configuration holds must not be made on the meta device.
        if self.config.keys() and self.given.keys() - {"type"}:
            return
        try:
            with torch.device("meta"):
                module = self.build()
            count = sum(parameter.numel() for parameter in module.parameters())
        # Some modules read values while they are built, which there are none of on the meta device.
        except Exception:
            return
        if count > MOST_PARAMETERS:
            raise NotChecked(f"it has {count:,} parameters: give a test class smaller arguments")

    @cached_property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input without the batch.

        Raises:
            NotChecked: none of the shapes that were tried is taken.
        """
        width = int(self.config.get("dim", 8))
        return self.given_shape or first_taken(self.module, [(width,), (width, 4, 4), (width, 2, 4, 4)])

    def inputs(self, batch: int, seed: int = 0) -> tuple[Tensor, ...]:
        """Returns random inputs, the same for the same arguments."""
        generator = torch.Generator().manual_seed(1000 * seed + batch)
        return (torch.randn(batch, *self.input_shape, generator=generator),)

    @cached_property
    def output(self) -> Any:
        """What the module returns for two inputs in eval mode.

        Raises:
            NotChecked: it raises, which is a check of its own.
        """
        started = time.process_time()
        try:
            found = self.run(self.module, 2)
        except NotChecked:
            raise
        except Exception as error:
            raise NotChecked(f"it does not run: {brief(error)}") from None
        self._seconds = time.process_time() - started
        return found

    def run(self, module: Any, batch: int, seed: int = 0) -> Any:
        """Returns what a module returns for random inputs, without gradients."""
        with torch.no_grad():
            return module(*self.inputs(batch, seed))

    def usage(self, made: Any) -> Callable[[], object]:
        """Returns a pass in eval mode."""
        module, inputs = made.eval(), self.inputs(1)

        def run() -> object:
            with torch.no_grad():
                return module(*inputs)

        return run

    def affordable(self) -> None:
        """Raises `NotChecked` if a pass takes too long for checks that make many, unless the input was given."""
        if self.output is not None and self._seconds > MOST_SECONDS and not self._is_given:
            raise NotChecked(f"one pass takes {self._seconds:.0f} s: give a test class smaller arguments")


def wake(module: nn.Module) -> nn.Module:
    """Adds noise to parameters that start at one value throughout, in place, and returns the module.

    Layers that start at zero hide what comes before them from every check.
    """
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.is_floating_point() and parameter.numel() and _is_constant(parameter):
                noise = torch.rand(parameter.shape, generator=generator).sub_(0.5).mul_(0.2)
                parameter.add_(noise.to(parameter))
    return module


def _is_constant(tensor: Tensor) -> bool:
    return bool((tensor == tensor.flatten()[0]).all())

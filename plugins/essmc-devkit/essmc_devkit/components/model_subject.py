"""What is checked: a model, which solvers drive by its contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from essmc_devkit.components.check import NotChecked
from essmc_devkit.components.least_input import first_taken
from essmc_devkit.components.module_subject import ModuleSubject
from essmc_devkit.components.small_arguments import CLASSES

_INPUTS: Mapping[str, Sequence[tuple[int, ...]]] = {
    "NCHW": [(3, 32, 32), (3, 64, 64), (3, 224, 224)],
    "NCTHW": [(3, 4, 32, 32), (3, 8, 64, 64)],
}


class ModelSubject(ModuleSubject):
    """A model; where only its name is given it gets a small backbone, for images or else for clips.

    Args:
        config: its name, or a mapping with ``type`` and arguments.
        input_shape: shape of one input without the batch; found by trying where it is not given.
        labels: returns labels for a batch; class indices by default, several where it returns several tensors.
        name: what reports call it, if not ``models/<type>``.
        make: builds the model, in place of the registry.
    """

    def __init__(
        self,
        config: str | Mapping[str, Any],
        input_shape: Sequence[int] | None = None,
        *,
        labels: Callable[[int], Tensor] | None = None,
        name: str = "",
        make: Callable[[], nn.Module] | None = None,
    ) -> None:
        super().__init__("models", config, input_shape)
        self._labels = labels
        self._name = name
        self._make = make

    @property
    def name(self) -> str:
        """What reports call it."""
        return self._name or super().name

    def build(self, seed: int = 0, **arguments: Any) -> Any:
        """Builds it anew; see `Subject.build`."""
        if self._make is None or arguments:
            return super().build(seed, **arguments)
        torch.manual_seed(seed)
        return self._make()

    @cached_property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input without the batch.

        Raises:
            NotChecked: none of the shapes that were tried is taken.
        """
        if self.given_shape is not None:
            return self.given_shape
        try:
            return first_taken(self.module, _INPUTS[self.layout])
        except NotChecked:
            if self.layout == "NCTHW":
                raise
        for cached in ("config", "built", "module"):
            self.__dict__.pop(cached, None)
        self.layout = "NCTHW"
        return first_taken(self.module, _INPUTS[self.layout])

    @cached_property
    def classes(self) -> int | Sequence[int]:
        """Number of classes, one for each task where it has several."""
        stated = getattr(getattr(self.module, "head", None), "num_classes", None)
        if isinstance(stated, (int, list, tuple)):
            return stated
        found = self.output
        first = next(iter(found.values())) if isinstance(found, Mapping) and found else found
        return int(first.shape[1]) if isinstance(first, Tensor) and first.ndim > 1 else CLASSES

    def labels(self, batch: int) -> Tensor:
        """Returns ground truth for a batch: class indices (N,), or (N, tasks)."""
        if self._labels is not None:
            return self._labels(batch)
        if isinstance(self.classes, int):
            return torch.arange(batch) % self.classes
        return torch.arange(batch)[:, None] % torch.tensor(tuple(self.classes))

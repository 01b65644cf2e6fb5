"""Which parameters are frozen: neither gradients nor steps, and batch norms that keep their statistics."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence

from torch import nn

from essmc_core.errors import ConfigError
from essmc_core.foundation.names import did_you_mean

_NORMS = nn.modules.batchnorm._NormBase


class Frozen:
    """The frozen part of a model.

    Its parameters get ``requires_grad = False``, so that backward ends at the first layer that trains.

    Args:
        model: the model, changed in place.
        patterns: names of parameters or submodules, or shell-style patterns of such; a submodule stands for all below.
        keep_statistics: whether norms of the frozen part that average over batches keep their statistics and use them
            in training; otherwise they go on following the batches, and so change what the frozen part computes.

    Attributes:
        names: the frozen parameters.

    Raises:
        ConfigError: a pattern matches nothing, or nothing is left to train.
    """

    def __init__(self, model: nn.Module, patterns: str | Sequence[str] = (), keep_statistics: bool = True) -> None:
        self._keep_statistics = keep_statistics
        self._norms: list[nn.Module] = []
        chosen: set[str] = set()
        parameters = dict(model.named_parameters(remove_duplicate=False))
        modules = {name: module for name, module in model.named_modules(remove_duplicate=False) if name}
        for pattern in (patterns,) if isinstance(patterns, str) else patterns:
            found = matched(pattern, [*parameters, *modules])
            below = {name for name in parameters if _is_below(name, found)}
            if not below:
                raise ConfigError(
                    f"freeze: {pattern!r} matches no parameter and no submodule with parameters",
                    hint=_nearest(pattern, [*modules, *parameters]),
                )
            chosen |= below
            self._norms += [
                module
                for name, module in modules.items()
                if isinstance(module, _NORMS) and not any(True for _ in module.parameters()) and _is_below(name, found)
            ]
        if parameters and chosen.issuperset(parameters):
            raise ConfigError("freeze leaves no parameter to train", hint="Leave out of it what is to learn.")
        self.names = frozenset(chosen)
        for name in chosen:
            parameters[name].requires_grad_(False)
        self._norms += [
            module
            for name, module in modules.items()
            if isinstance(module, _NORMS) and (own := _own_parameters(name, module)) and chosen.issuperset(own)
        ]

    def settle(self) -> None:
        """Puts norms whose statistics are kept into evaluation mode; to be called after ``model.train()``."""
        if self._keep_statistics:
            for norm in self._norms:
                norm.eval()


def matched(pattern: str, names: Iterable[str]) -> list[str]:
    """Returns the names that a name or shell-style pattern stands for."""
    return [name for name in names if name == pattern or fnmatch.fnmatchcase(name, pattern)]


def _is_below(name: str, found: Sequence[str]) -> bool:
    return any(name == other or name.startswith(f"{other}.") for other in found)


def _own_parameters(prefix: str, module: nn.Module) -> list[str]:
    return [f"{prefix}.{name}" for name, _ in module.named_parameters(recurse=False)]


def _nearest(pattern: str, names: Sequence[str]) -> str:
    suggestion = did_you_mean(pattern.removesuffix(".*"), names)
    tops = list(dict.fromkeys(name.partition(".")[0] for name in names))
    return suggestion or f"At the top level there is {', '.join(tops)}."

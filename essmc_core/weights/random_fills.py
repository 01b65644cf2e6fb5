"""Builds modules without drawing the random values that weights are about to replace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

# Identified by name, since a mode sees `torch.Tensor.normal_` and the `torch.nn.init` functions alike as callables.
_RANDOM_FILLS = frozenset({
    "normal_", "uniform_", "random_", "bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_",
    "kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_", "trunc_normal_", "orthogonal_",
})  # fmt: skip


class _SkipRandomFills(TorchFunctionMode):  # type: ignore[misc]
    """Returns a parameter as it is where it would be filled with random values.

    Only parameters are left out. A plain tensor may be on its way to a buffer that no state dict holds, so it gets
    its values. Modes are per thread.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if getattr(func, "__name__", "") in _RANDOM_FILLS:
            target = args[0] if args else (kwargs or {}).get("tensor")
            if _is_parameter(target):
                return target
        return func(*args, **(kwargs or {}))


def _is_parameter(target: object) -> bool:
    if not isinstance(target, Tensor):
        return False
    return isinstance(target, nn.Parameter) or isinstance(target._base, nn.Parameter)


@contextmanager
def skip_init() -> Iterator[None]:
    """Within the block, in this thread, parameters are not filled with random values.

    What they then hold is undefined: use it only if every parameter is overwritten afterwards. Constant fills, buffers
    and everything computed from other tensors are as usual. The state of torch's CPU generator is restored at the end.
    """
    with torch.random.fork_rng(devices=[]), _SkipRandomFills():
        yield

"""Builds modules without drawing the random values that weights are about to replace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

# Identified by name, since a mode sees `torch.Tensor.normal_` and the `torch.nn.init` functions alike as callables.
_RANDOM_FILLS = frozenset({
    "normal_", "uniform_", "random_", "bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_",
    "kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_", "trunc_normal_", "orthogonal_",
})  # fmt: skip


# What truncated normal and scaled initialisations do to the drawn values.
_FOLLOW_UPS = frozenset({"erfinv_", "mul_", "div_", "add_", "sub_", "clamp_"})


class _SkipRandomFills(TorchFunctionMode):
    """Returns a parameter as it is where it would be filled with random values, or where these would be reshaped.

    Only parameters are left out. A plain tensor may be on its way to a buffer that no state dict holds, so it gets
    its values. Modes are per thread.
    """

    def __init__(self) -> None:
        super().__init__()
        # Held, not only numbered: the identity of a freed tensor passes to the next one.
        self._left_out: dict[int, Tensor] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name in _RANDOM_FILLS or name in _FOLLOW_UPS:
            target = args[0] if args else (kwargs or {}).get("tensor")
            if _is_parameter(target) and (name in _RANDOM_FILLS or id(target) in self._left_out):
                self._left_out[id(target)] = target
                return target
        return func(*args, **(kwargs or {}))


def _is_parameter(target: object) -> TypeGuard[Tensor]:
    if not isinstance(target, Tensor):
        return False
    return isinstance(target, nn.Parameter) or isinstance(target._base, nn.Parameter)


@contextmanager
def skip_init() -> Iterator[None]:
    """Within the block, in this thread, parameters are not filled with random values.

    What they then hold is undefined: use it only if every parameter is overwritten afterwards. Constant fills and
    buffers are as usual. The state of torch's CPU generator is restored at the end. Initialisations that compute a
    parameter out of place, such as `torch.nn.init.orthogonal_`, run; they are right and merely cost time.
    """
    with torch.random.fork_rng(devices=[]), _SkipRandomFills():
        yield

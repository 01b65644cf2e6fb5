"""Builds modules without drawing random values that weights will overwrite."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

# Identified by name: `__torch_function__` is passed `torch.Tensor.normal_` and the `torch.nn.init` functions alike.
_RANDOM_FILLS = frozenset({
    "normal_", "uniform_", "random_", "bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_",
    "kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_", "trunc_normal_", "orthogonal_",
})  # fmt: skip


# Operations that truncated normal and scaled initialisations apply to the drawn values.
_FOLLOW_UPS = frozenset({"erfinv_", "mul_", "div_", "add_", "sub_", "clamp_"})


class _SkipRandomFills(TorchFunctionMode):
    """Skips operations that fill a parameter with random values, or that transform these values.

    Only parameters are skipped. A plain tensor may become a buffer that is not in the state dict, so it is filled.
    Modes are per thread.
    """

    def __init__(self) -> None:
        super().__init__()
        # The tensors are kept alive, since the id of a freed tensor may be reused.
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
    """Skips the random initialisation of parameters within the block, in this thread.

    Their values are undefined: use it only if every parameter is overwritten afterwards. Constant initialisation and
    buffers are not affected. The state of torch's CPU generator is restored at the end. Initialisations that compute a
    parameter out of place, such as `torch.nn.init.orthogonal_`, are not skipped, which only costs time.
    """
    with torch.random.fork_rng(devices=[]), _SkipRandomFills():
        yield

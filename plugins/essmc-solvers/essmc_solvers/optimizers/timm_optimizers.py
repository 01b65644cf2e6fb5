"""Optimizers of timm, built by ``timm.optim.create_optimizer_v2``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch.optim import Optimizer

from essmc_core.errors import MissingDependency


def timm_optimizer(
    params: Iterable[Any],
    opt: str,
    lr: float | None = None,
    weight_decay: float = 0.0,
    momentum: float = 0.9,
    foreach: bool | None = None,
    **arguments: Any,
) -> Optimizer:
    """Builds a timm optimizer.

    Args:
        params: parameters or parameter groups; which of them decay is up to the groups.
        opt: its name in timm.
        lr: learning rate; the optimizer's own default by default.
        weight_decay: weight decay.
        momentum: for those that have one.
        foreach: use the multi-tensor form; None leaves it to the optimizer.
        **arguments: what else the optimizer takes, e.g. ``betas``.

    Raises:
        MissingDependency: timm is not installed.
        TypeError: the optimizer has no such argument.
    """
    try:
        from timm.optim import create_optimizer_v2  # type: ignore[attr-defined,unused-ignore]
    except ImportError as error:
        raise MissingDependency(f"the optimizer timm_{opt} needs timm", hint="pip install timm") from error
    made: Optimizer = create_optimizer_v2(
        list(params), opt=opt, lr=lr, weight_decay=weight_decay, momentum=momentum, foreach=foreach, **arguments
    )
    return made

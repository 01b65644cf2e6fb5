"""Initial weights of residual 3D networks, by the name in ``init_cfg``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from essmc_core.errors import ConfigError
from essmc_video.arguments.option_names import InitArgument
from essmc_video.networks.resnet3d.stage import Base3DBlock


def initialize(model: nn.Module, init_cfg: Mapping[InitArgument, Any] | str | None) -> None:
    """Initialises a network in place.

    Args:
        model: the network.
        init_cfg: None keeps what torch drew. ``"kaiming"``, or ``{"name": "kaiming"}``, draws convolutions as in
            He et al., ICCV 2015 (fan-out) and lets every block start as its shortcut, by a zero scale in the branch's
            last batch norm (Goyal et al., 2017, section 5.1); ``"zero_init_final_bn": False`` leaves that scale at
            one.

    Raises:
        ConfigError: unknown name or key.
    """
    if init_cfg is None:
        return
    cfg = {"name": init_cfg} if isinstance(init_cfg, str) else dict(init_cfg)
    name, zero_last = cfg.pop("name", None), cfg.pop("zero_init_final_bn", True)
    if name != "kaiming" or cfg:
        raise ConfigError(
            f"init_cfg {init_cfg} is not known",
            hint="give {name: kaiming} with zero_init_final_bn true or false, or leave it out",
        )
    for module in model.modules():
        _kaiming(module)
    # A module's own initialization comes last, since the rule above has overwritten it.
    for module in model.modules():
        _call(module, "init_as_identity")
        if zero_last and isinstance(module, Base3DBlock):
            _call(module.conv_branch, "zero_init_last")


def _call(module: nn.Module, method: str) -> None:
    """Calls a method that a branch, of another pack too, may have."""
    found: Callable[[], None] | None = getattr(module, method, None)
    if found is not None:
        found()


def _kaiming(module: nn.Module) -> None:
    if isinstance(module, nn.Conv3d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm3d) and module.affine:
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)

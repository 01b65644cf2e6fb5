"""Builds a torchvision model as a backbone: torchvision's own module, without its last classification layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import nn
from torchvision import models

from essmc_core.errors import ConfigError
from essmc_core.foundation.plain_data import plain_data
from essmc_torchvision import image_families, video_families
from essmc_torchvision.trunk import Trunk

_FAMILIES: dict[type, type[Trunk]] = {
    family.__mro__[2]: family
    for module in (image_families, video_families)
    for family in vars(module).values()
    if isinstance(family, type) and issubclass(family, Trunk) and family is not Trunk
}
_OWN_ARGUMENTS = frozenset({"weights", "progress", "num_classes", "stochastic_depth_prob"})
_WITH_AUXILIARY_HEADS = ("googlenet", "inception_v3")


def torchvision_backbone(
    model_name: str,
    in_chans: int = 3,
    pretrained: bool | str = False,
    pool: bool = True,
    stochastic_depth_prob: float | None = None,
    model_args: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Builds a torchvision classifier without its last layer.

    The result is torchvision's module itself, with the uniform interface of `essmc_core.contract.features` added; its
    ``state_dict`` keys are torchvision's. The dropout before the last layer goes too: it is the head's.

    Args:
        model_name: torchvision's name of the model, e.g. ``resnet50``.
        in_chans: channels of the input, (N, C, H, W) for image and (N, C, T, H, W) for video models. For other than
            3, the weights of the first convolution are repeated over the channels and scaled by 3 / in_chans.
        pretrained: true for the model's default weights, fetched by torchvision, or the name of others, e.g.
            ``IMAGENET1K_V1``. essmc's own ``pretrain`` loads weights from anywhere else.
        pool: true returns what torchvision's last layer takes, (N, out_channels). False returns the last map,
            (N, C, H, W) or (N, C, T, H, W), and leaves the head's other layers out as well.
        stochastic_depth_prob: chance of skipping the deepest block, in [0, 1]; the architecture's own by default.
        model_args: arguments that only this family takes.

    Returns:
        The backbone, in training mode.

    Raises:
        ConfigError: the family has no such argument, or there are no such weights.
    """
    arguments = plain_data(model_args or {})
    if repeated := sorted(_OWN_ARGUMENTS & arguments.keys()):
        raise ConfigError(
            f"torchvision/{model_name}: model_args must not hold {', '.join(repeated)}",
            hint="the backbone's own arguments set these; a head sets num_classes",
        )
    if stochastic_depth_prob is not None:
        arguments["stochastic_depth_prob"] = stochastic_depth_prob
    weights = "DEFAULT" if pretrained is True else pretrained or None
    if model_name in _WITH_AUXILIARY_HEADS and weights is None:
        arguments = {"aux_logits": False, "init_weights": True, **arguments}
    try:
        model = models.get_model(model_name, weights=weights, **arguments)
    except (TypeError, ValueError, KeyError) as error:
        raise ConfigError(f"torchvision/{model_name} cannot be built so", hint=f"torchvision says: {error}") from error
    return _as_trunk(model, model_name, in_chans, pool)


def _as_trunk(model: nn.Module, model_name: str, in_chans: int, pool: bool) -> nn.Module:
    family = _FAMILIES.get(type(model))
    if family is None:
        raise ConfigError(
            f"torchvision/{model_name} is of a family that this version does not know, {type(model).__name__}",
            hint="a newer essmc-torchvision may",
        )
    # The class is exchanged rather than the module wrapped, so that its keys stay torchvision's.
    model.__class__ = family
    trunk = cast(Trunk, model)
    if in_chans != 3:
        _adapt_first_convolution(trunk, model_name, in_chans)
    trunk.adopt(pool, in_chans)
    return trunk


def _adapt_first_convolution(model: nn.Module, model_name: str, in_chans: int) -> None:
    """Gives the first convolution other input channels.

    Raises:
        ConfigError: the family normalises the three colours itself.
    """
    if getattr(model, "transform_input", False):
        raise ConfigError(
            f"torchvision/{model_name} normalises the three colours itself, so in_chans={in_chans} does not apply",
            hint="set model_args: {transform_input: false}",
        )
    layer = next(module for module in model.modules() if isinstance(module, (nn.Conv2d, nn.Conv3d)))
    repeats = -(-in_chans // layer.in_channels)
    scale = layer.in_channels / in_chans
    with torch.no_grad():
        weight = torch.cat([layer.weight] * repeats, dim=1)[:, :in_chans] * scale
    layer.weight = nn.Parameter(weight.contiguous())
    layer.in_channels = in_chans

"""Builds a timm model as a backbone: timm's own module, without its classifier."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import timm
from torch import nn

from essmc_core.contract.annotations import PositiveInt
from essmc_core.errors import ConfigError
from essmc_core.foundation.plain_data import plain_data
from essmc_timm.uniform import make_uniform

_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")
_OWN_ARGUMENTS = frozenset(
    {"model_name", "in_chans", "num_classes", "global_pool", "pretrained", "drop_rate", "drop_path_rate", "img_size"}
)


def timm_backbone(
    model_name: str,
    in_chans: int = 3,
    pretrained: bool | str = False,
    pool: bool = True,
    drop_rate: float = 0.0,
    drop_path_rate: float | None = None,
    img_size: int | Sequence[int] | None = None,
    scores: PositiveInt | None = None,
    model_args: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Builds a timm model without its classifier.

    The result is timm's module itself with the uniform backbone interface, so its ``state_dict`` keys
    are timm's.

    Args:
        model_name: timm's name of the architecture, e.g. ``resnet50``, or with the tag of its weights, e.g.
            ``resnet50.tv_in1k``.
        in_chans: channels of the input (N, C, H, W).
        pretrained: true for the weights of ``model_name``'s tag, or the architecture's default ones, on the Hugging
            Face hub; or the tag of others, e.g. ``a1_in1k``. essmc's own ``pretrain`` loads weights from anywhere else.
        pool: true returns (N, out_channels) features, pooled as the family does it (mean, class token, ...).
            False returns them before pooling, as a map (N, C, H, W): tokens are laid out in space, class tokens
            left out.
        drop_rate: dropout on the pooled features, in [0, 1].
        drop_path_rate: stochastic depth of the deepest block, in [0, 1]; the architecture's own by default.
        img_size: side, or (height, width), for families whose parameters depend on it.
        scores: keep timm's classifier, for this many classes: (N, scores) comes out in the place of features, for the
            head ``timm/Scores``. It is for families whose classifier is more than a linear layer on pooled features.
        model_args: arguments that only this family takes.

    Returns:
        The model, in training mode.

    Raises:
        ConfigError: the family has no such argument, cannot leave its pooling out, or ``scores`` is not for ``pool``.
    """
    if scores is not None and not pool:
        raise ConfigError(f"timm/{model_name}: scores are computed of pooled features", hint="leave out pool: false")
    family_args = plain_data(model_args or {})
    if repeated := sorted(_OWN_ARGUMENTS & family_args.keys()):
        raise ConfigError(
            f"timm/{model_name}: model_args must not hold {', '.join(repeated)}",
            hint="the backbone's own arguments set these; a head sets num_classes, `pool` stands for global_pool",
        )
    arguments: dict[str, Any] = {
        "in_chans": in_chans,
        "global_pool": None if pool else "",
        "drop_rate": drop_rate or None,
        "drop_path_rate": drop_path_rate,
        "img_size": tuple(img_size) if isinstance(img_size, Sequence) else img_size,
        **family_args,
    }
    given = {key: value for key, value in arguments.items() if value is not None}
    architecture = model_name.partition(".")[0]
    # A tag stands for weights alone, so that without them the architecture is built whatever tag it was named with.
    weights = f"{architecture}.{pretrained}" if isinstance(pretrained, str) else model_name
    try:
        model = timm.create_model(
            weights if pretrained else architecture, pretrained=bool(pretrained), num_classes=scores or 0, **given
        )
    except (TypeError, AssertionError) as error:
        raise _explain(error, model_name, given) from error
    return make_uniform(model, in_chans, pool, scores)


def _explain(error: Exception, model_name: str, given: Mapping[str, object]) -> Exception:
    """Returns the error a user can act on, or the original when its cause is not an argument."""
    found = _UNEXPECTED.search(str(error))
    argument = found.group(1) if found else ""
    if isinstance(error, AssertionError) and "global_pool" in given:
        argument = "global_pool"
    if argument not in given:
        return error
    shown = "pool: false" if argument == "global_pool" else argument
    return ConfigError(f"timm/{model_name} does not take {shown}", hint=f"timm says: {error}")

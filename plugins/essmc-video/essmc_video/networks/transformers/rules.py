"""What sizes, heads and layers of a video transformer must be; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from essmc_core.building.rules import rule_check
from essmc_core.errors import ConfigError
from essmc_video.arguments.branch_options import check_layers as check_layer_arguments
from essmc_video.arguments.sizes import check_shared

Grid: TypeAlias = tuple[int, int, int]

CLASS_TOKENS = {"TimesformerLayer": 1, "FactorizedAttentionLayer": 0, "FactorizedDotProductLayer": 0}
"""Class tokens of the layers of this pack that look along time; others work with and without."""
LAYERS = ("BaseTransformerLayer", *CLASS_TOKENS)
DEFAULT_HEADS = 12


def check_grid(patch_shape: Grid, image_size: int | Sequence[int], num_frames: int) -> None:
    """Refuses a clip that cannot be cut into whole patches.

    Raises:
        ConfigError: names sizes that work.
    """
    sizes = (num_frames, *pair(image_size))
    if any(patch < 1 for patch in patch_shape):
        raise ConfigError(f"patches are at least 1 frame of 1×1 pixels, got {times(patch_shape)}")
    if any(size < 1 or size % patch for size, patch in zip(sizes, patch_shape, strict=True)):
        raise ConfigError(
            f"num_frames {num_frames} and image_size {image_size} cannot be cut into {times(patch_shape)} patches",
            hint=sizes_that_work(patch_shape),
        )


def check_layers(branch_name: str, class_tokens: int, needed: int | None) -> None:
    """Refuses layers that do without a class token, or need one.

    Args:
        branch_name: the layers.
        class_tokens: how many the network has.
        needed: how many the layers work with; None for any number.

    Raises:
        ConfigError: says what to set.
    """
    if needed is not None and needed != class_tokens:
        raise ConfigError(
            f"{branch_name} works {'with' if needed else 'without'} a class token",
            hint=f"set class_token to {bool(needed)}",
        )


def check_over_space(branch_name: str, needs_frames: bool) -> None:
    """Refuses layers that look along time for an encoder of single frames.

    Raises:
        ConfigError: says what to use.
    """
    if needs_frames:
        raise ConfigError(
            f"{branch_name} looks along time, which the spatial encoder does not have",
            hint="use the backbone Transformer, or layers such as BaseTransformerLayer",
        )


def check_split(num_heads: int) -> None:
    """Refuses heads that cannot be halved.

    Raises:
        ConfigError: names their number.
    """
    if num_heads % 2:
        raise ConfigError(f"{num_heads} heads cannot be halved between space and time", hint="give an even number")


def pair(image_size: int | Sequence[int]) -> tuple[int, int]:
    """Returns height and width.

    Raises:
        ConfigError: there are not two numbers.
    """
    if isinstance(image_size, int):
        return image_size, image_size
    if len(image_size) != 2:
        raise ConfigError(f"image_size {image_size} is neither one number nor height and width")
    return image_size[0], image_size[1]


def times(sizes: Sequence[int]) -> str:
    """Returns sizes as one writes them: 2×16×16."""
    return "×".join(map(str, sizes))


def sizes_that_work(patch: Grid) -> str:
    """Returns what sizes can be cut into whole patches."""
    return f"give multiples of {patch[0]} frames, height {patch[1]} and width {patch[2]}"


def _own(name: str) -> str:
    """Returns a brick's name without the pack."""
    return name.rpartition("/")[2]


def _patches(
    stem_name: str, image_size: int | Sequence[int], num_frames: int, patch_size: int, tubelet_size: int
) -> None:
    if _own(stem_name) == "PatchEmbedStem":
        check_grid((1, patch_size, patch_size), image_size, num_frames)
    elif _own(stem_name) == "TubeletEmbeddingStem":
        check_grid((tubelet_size, patch_size, patch_size), image_size, num_frames)


def _heads(num_features: int, branch_name: str, branch_cfg: Mapping[str, Any] | None) -> None:
    heads = (branch_cfg or {}).get("num_heads", DEFAULT_HEADS)
    if _own(branch_name) not in LAYERS or not isinstance(heads, int):
        return
    check_shared(heads, num_features)
    if _own(branch_name) == "FactorizedDotProductLayer":
        check_split(heads)


def _class_token(branch_name: str, class_token: bool) -> None:
    check_layers(branch_name, int(class_token), CLASS_TOKENS.get(_own(branch_name)))


def _over_space(branch_name: str) -> None:
    check_over_space(branch_name, _own(branch_name) in CLASS_TOKENS)


_common = rule_check(_patches, _heads)
_joint = rule_check(_class_token)
_factorized = rule_check(_over_space)


def check_transformer(*subject: Any) -> None:
    """Checks one encoder over all tokens, before it is built."""
    for check in (check_layer_arguments, _common, _joint):
        check(*subject)


def check_factorized(*subject: Any) -> None:
    """Checks an encoder over space and one over time, before they are built."""
    for check in (check_layer_arguments, _common, _factorized):
        check(*subject)

"""Arguments of the five-stage residual networks, from the names and shapes of their tensors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from essmc_core.weights.layouts.layout import Shapes
from essmc_video.networks.resnet3d.rules import BLOCKS_PER_STAGE, BOTTLENECK_DEPTHS

Config = dict[str, Any]

_STAGES = ("conv2", "conv3", "conv4", "conv5")
# By the branch: the published networks that are made of it.
_PRESETS = {
    "R2D3DBranch": ("ResNetR2D3D",),
    "R2Plus1DBranch": ("ResNet2Plus1d",),
    "CSNBranch": ("ResNet3D_CSN",),
    "IPCSNBranch": ("ResNet3D_IPCSN",),
    "TAdaConvBlockAvgPool": ("ResNet3D_TAda",),
}


def residual_networks(shapes: Shapes) -> Iterator[Config]:
    """Yields the published networks that may have these names and shapes, at any depth and width."""
    for depth, branch in _depths_and_branches(shapes):
        widths = _arguments(shapes, depth)["num_filters"]
        for preset in _PRESETS[branch]:
            yield {"type": preset, "depth": depth}
            yield {"type": preset, "depth": depth, "num_filters": widths}
        if branch == "R2D3DBranch":
            yield {"type": "ResNet3D", "depth": depth}


def general_residual_networks(shapes: Shapes) -> Iterator[Config]:
    """Yields networks that may have these names and shapes and are none of the published ones."""
    for depth, branch in _depths_and_branches(shapes):
        further = _arguments(shapes, depth)
        for preset in _PRESETS[branch]:
            yield {"type": preset, "depth": depth, **further}
        for stem in _stems(shapes):
            yield {"type": "ResNet3D", "depth": depth, **further, "stem_name": stem, "branch_name": branch}


def _depths_and_branches(shapes: Shapes) -> Iterator[tuple[int, str]]:
    blocks = tuple(_blocks(shapes, stage) for stage in _STAGES)
    first = "conv2.res_1.conv_branch"
    if not all(blocks) or not any(key.startswith(f"{first}.") for key in shapes):
        return
    has_three = f"{first}.c.weight" in shapes or f"{first}.c2.weight" in shapes
    if has_three and any(key.endswith(".conv_branch.a.weight") and shape[2] > 1 for key, shape in shapes.items()):
        # Bottlenecks that begin with time are another family.
        return
    for depth, stated in BLOCKS_PER_STAGE.items():
        if stated == blocks and (depth in BOTTLENECK_DEPTHS) == has_three:
            yield depth, _branch(shapes)


def _blocks(shapes: Shapes, stage: str) -> int:
    return len({key.split(".")[1] for key in shapes if key.startswith(f"{stage}.res_")})


def _branch(shapes: Shapes) -> str:
    first = "conv2.res_1.conv_branch."
    if f"{first}b_rf.a.weight" in shapes:
        return "TAdaConvBlockAvgPool"
    # A depthwise convolution has one channel per filter.
    if shapes.get(f"{first}b2.weight", (0, 0))[1] == 1:
        return "IPCSNBranch"
    if f"{first}a1.weight" in shapes or f"{first}b1.weight" in shapes:
        return "R2Plus1DBranch"
    return "CSNBranch" if shapes.get(f"{first}b.weight", (0, 0))[1] == 1 else "R2D3DBranch"


def _stems(shapes: Shapes) -> list[str]:
    if "conv1.a1.weight" in shapes:
        return ["R2Plus1DStem"]
    flat = shapes.get("conv1.a.weight", (0,) * 5)[2] == 1
    return ["DownSampleStem", "Base2DStem", "Base3DStem"] if flat else ["DownSampleStem", "Base3DStem"]


def _arguments(shapes: Shapes, depth: int) -> Config:
    widths = [_width(shapes, "conv1"), *(_width(shapes, f"{stage}.res_1.conv_branch") for stage in _STAGES)]
    kernels = [_kernel(shapes, "conv1"), *(_kernel(shapes, f"{stage}.res_1.conv_branch") for stage in _STAGES)]
    found: Config = {"num_filters": widths, "kernel_size": kernels}
    if depth in BOTTLENECK_DEPTHS:
        inner = _width(shapes, "conv2.res_1.conv_branch", ("a",))
        found["expansion_ratio"] = max(1, widths[1] // max(1, inner))
    channels = next((shapes[key][1] for key in ("conv1.a.weight", "conv1.a1.weight") if key in shapes), 3)
    if channels != 3:
        found["num_input_channels"] = channels
    attending = [False, *(any(key.startswith(f"{stage}.") and ".qconv." in key for key in shapes) for stage in _STAGES)]
    if any(attending):
        found["non_local"] = attending
    return found


def _width(shapes: Shapes, front: str, letters: tuple[str, ...] = ("c", "b", "a")) -> int:
    """Returns the filters of the last convolution of a chain, which has two parts where it is factorised."""
    for letter in letters:
        for name in (f"{front}.{letter}2.weight", f"{front}.{letter}.weight"):
            if name in shapes:
                shape = shapes[name]
                return shape[0] if len(shape) == 5 else shape[2]
    return 0


def _kernel(shapes: Shapes, front: str) -> list[int]:
    """Returns the kernel of the main convolution: a simple block's first, a bottleneck's second."""
    three = f"{front}.c.weight" in shapes or f"{front}.c2.weight" in shapes
    letter = "b" if three else "a"
    if f"{front}.{letter}1.weight" in shapes:
        space, time = shapes[f"{front}.{letter}1.weight"], shapes.get(f"{front}.{letter}2.weight", (0, 0, 1, 1, 1))
        return [time[2], *space[-2:]]
    return list(shapes.get(f"{front}.{letter}.weight", (0, 0, 1, 1, 1))[-3:])

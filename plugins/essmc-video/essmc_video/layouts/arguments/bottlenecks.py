"""Arguments of residual networks of bottlenecks with a temporal kernel each: C2D, I3D, Slow, R(2+1)D."""

from __future__ import annotations

from collections.abc import Iterator

from essmc_core.weights.layouts.layout import Shapes
from essmc_video.layouts.arguments.shared import Config, numbers, shortest_cycle, without_defaults
from essmc_video.networks.bottleneck_resnet.rules import BLOCKS_PER_STAGE

STAGES = ("conv2", "conv3", "conv4", "conv5")
_SHARED: Config = {
    "in_chans": 3, "stem_width": 64, "stage_widths": [256, 512, 1024, 2048], "expansion_ratio": 4,
    "stem_kernel_size": [1, 7, 7],
}  # fmt: skip
_FACTORISED = "conv2.res_1.conv_branch.b1.weight"
_FLAT = [[1], [1], [1], [1]]
_SLOW = [[1], [1], [3], [3]]
_INFLATED = [[3], [3, 1], [3, 1], [1, 3]]
_IN_TIME_FIRST = [[3], [3], [3], [3]]
# Name, temporal kernels, the stem's, and whether it pools in time behind the first stage.
_PRESETS = (
    ("C2D", _FLAT, [1, 7, 7], True),
    ("I3D", _INFLATED, [5, 7, 7], True),
    ("SlowOnly", _SLOW, [1, 7, 7], False),
)


def bottlenecks(shapes: Shapes, pools_in_time: bool | None = None) -> Iterator[Config]:
    """Yields the published networks that may have these names and shapes.

    Args:
        shapes: of the backbone's tensors, by name.
        pools_in_time: whether the network pools behind its first stage, where names of another project tell it.
    """
    for arguments, kernels in _arguments(shapes):
        if _FACTORISED in shapes:
            return
        for name, theirs, stem_kernel, pools in _PRESETS:
            if kernels == theirs and arguments["stem_kernel_size"] == stem_kernel and pools_in_time in (None, pools):
                shared = {**arguments, "stem_kernel_size": [1, 7, 7]}
                yield {"type": name, **_without(shared, kernels, theirs)}


def factorised_bottlenecks(shapes: Shapes) -> Iterator[Config]:
    """Yields the R(2+1)D that may have these names and shapes."""
    for arguments, kernels in _arguments(shapes):
        if _FACTORISED in shapes:
            yield {"type": "R2Plus1DBottleneck", **_without(arguments, kernels, _IN_TIME_FIRST)}


def general_bottlenecks(shapes: Shapes, pools_in_time: bool | None = None) -> Iterator[Config]:
    """Yields the network that may have these names and shapes and is none of the published ones; see `bottlenecks`."""
    for arguments, kernels in _arguments(shapes):
        pooling = {"temporal_pool": True} if pools_in_time else {}
        yield {"type": "BottleneckResNet3D", **_without(arguments, kernels, _FLAT), **pooling}


def _arguments(shapes: Shapes) -> Iterator[tuple[Config, list[list[int]]]]:
    depth = depth_of([len(numbers(shapes, f"{stage}.res_")) for stage in STAGES])
    stem = shapes.get("conv1.a.weight", ())
    if depth is None or len(stem) != 5 or not _begins_with_time(shapes):
        return
    arguments = {"depth": depth, "in_chans": stem[1], "stem_width": stem[0], "stem_kernel_size": list(stem[2:])}
    layer = "b1" if _FACTORISED in shapes else "a"
    yield {**arguments, **widths_of(shapes, STAGES)}, temporal_kernels(shapes, STAGES, layer)


def _begins_with_time(shapes: Shapes) -> bool:
    """Returns whether blocks see time in their first convolution or in the first part of their second."""
    inside = {key.rpartition("conv_branch.")[2]: shape for key, shape in shapes.items() if "conv_branch." in key}
    flat = inside.get("b.weight", ())
    return "b1.weight" in inside or (len(flat) == 5 and flat[1] > 1 and flat[2] == 1 and "b_rf.a.weight" not in inside)


def depth_of(blocks: list[int]) -> int | None:
    """Returns the depth of a network with these numbers of blocks, None if none has them."""
    return next((depth for depth, stated in BLOCKS_PER_STAGE.items() if list(stated) == blocks), None)


def widths_of(shapes: Shapes, stages: tuple[str, ...]) -> Config:
    """Returns the widths of stages, and how much wider they are than the inside of their blocks."""
    widths = [shapes[f"{stage}.res_1.conv_branch.c.weight"][0] for stage in stages]
    inner = shapes[f"{stages[0]}.res_1.conv_branch.c.weight"][1]
    return {"stage_widths": widths, "expansion_ratio": widths[0] // inner}


def temporal_kernels(shapes: Shapes, stages: tuple[str, ...], layer: str) -> list[list[int]]:
    """Returns the lengths in time of the kernels of every stage's blocks, as short as their repetition allows."""
    found = []
    for stage in stages:
        blocks = numbers(shapes, f"{stage}.res_")
        found.append(shortest_cycle([shapes[f"{stage}.res_{block}.conv_branch.{layer}.weight"][2] for block in blocks]))
    return found


def _without(arguments: Config, kernels: list[list[int]], theirs: list[list[int]]) -> Config:
    return without_defaults({**arguments, "temporal_kernels": kernels}, {**_SHARED, "temporal_kernels": theirs})

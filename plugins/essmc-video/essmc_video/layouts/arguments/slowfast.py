"""Arguments of SlowFast."""

from __future__ import annotations

from collections.abc import Iterator

from essmc_core.weights.layouts.layout import Shapes
from essmc_video.layouts.arguments.bottlenecks import depth_of, temporal_kernels, widths_of
from essmc_video.layouts.arguments.shared import Config, numbers, without_defaults

_SLOW = ("slow_conv2", "slow_conv3", "slow_conv4", "slow_conv5")
_FAST = ("fast_conv2", "fast_conv3", "fast_conv4", "fast_conv5")
_DEFAULTS: Config = {
    "in_chans": 3, "beta": 8, "fusion_kernel_size": 7, "stem_width": 64, "stage_widths": [256, 512, 1024, 2048],
    "expansion_ratio": 4, "slow_stem_kernel_size": [1, 7, 7], "fast_stem_kernel_size": [5, 7, 7],
    "slow_temporal_kernels": [[1], [1], [3], [3]], "fast_temporal_kernels": [[3], [3], [3], [3]],
}  # fmt: skip
# Frames of the fast path per frame of the slow one, by the lateral kernel of the published networks.
_ALPHAS = {5: (8, 4), 7: (4,)}


def slowfast(shapes: Shapes) -> Iterator[Config]:
    """Yields the configurations that may have these names and shapes, the likeliest first."""
    slow, fast = shapes["slow_conv1.a.weight"], shapes["fast_conv1.a.weight"]
    depth = depth_of([len(numbers(shapes, f"{stage}.res_")) for stage in _SLOW])
    if depth is None:
        return
    arguments: Config = {
        "depth": depth,
        "in_chans": slow[1],
        "beta": slow[0] // fast[0],
        "fusion_kernel_size": shapes["slowfast_fusion1.conv_fast_to_slow.weight"][2],
        "stem_width": slow[0],
        **widths_of(shapes, _SLOW),
        "slow_stem_kernel_size": list(slow[2:]),
        "fast_stem_kernel_size": list(fast[2:]),
        "slow_temporal_kernels": temporal_kernels(shapes, _SLOW, "a"),
        "fast_temporal_kernels": temporal_kernels(shapes, _FAST, "a"),
    }
    stated = without_defaults(arguments, _DEFAULTS)
    for alpha in _ALPHAS.get(arguments["fusion_kernel_size"], (4,)):
        yield {"type": "SlowFast", **stated, "alpha": alpha}

"""Arguments of TAdaFormer and TAdaConvNeXtV2."""

from __future__ import annotations

import math
from collections.abc import Iterator

from essmc_core.weights.layouts.layout import Shapes
from essmc_video.layouts.arguments.shared import Config, numbers, without_defaults

_USUAL_HEAD = 64
_FORMER: Config = {
    "width": 768, "depth": 12, "heads": 12, "patch_size": 16, "input_size": 224, "in_chans": 3, "tubelet_size": 3,
    "reduction": 2, "route_reduction": 2, "route_kernels": [3, 3], "head_dim": 64, "temporally_enhanced": False,
    "double_tada": False, "output_dim": None,
}  # fmt: skip
_CONVNEXT: Config = {
    "depths": [3, 3, 9, 3], "widths": [96, 192, 384, 768], "in_chans": 3, "stem_kernel": 3, "stem_stride": 2,
    "route_reduction": 2, "route_kernels": [3, 3], "head_dim": 48,
}  # fmt: skip


def tadaformer(shapes: Shapes) -> Iterator[Config]:
    """Yields the configuration that may have these names and shapes."""
    width, channels, tubelet, patch, _ = shapes["conv1.weight"]
    side = math.isqrt(shapes["positional_embedding"][0] - 1)
    before, route = shapes["layers.0.tada.tada_pre_proj.weight"], "layers.0.tada.tadaconv.rf_func"
    inner, first = before[0], shapes[f"{route}.a.weight"]
    arguments = {
        "width": width,
        "depth": len(numbers(shapes, "layers.")),
        "heads": max(1, width // _USUAL_HEAD),
        "patch_size": patch,
        "input_size": side * patch,
        "in_chans": channels,
        "tubelet_size": tubelet,
        "reduction": width // inner,
        "route_reduction": inner // first[0],
        "route_kernels": [first[2], shapes[f"{route}.b.weight"][2]],
        "head_dim": math.gcd(first[0], _USUAL_HEAD),
        "temporally_enhanced": len(before) == 5,
        "double_tada": "layers.0.tada2.tada_pre_proj.weight" in shapes,
        "output_dim": shapes["proj"][1] if "proj" in shapes else None,
    }
    yield {"type": "TAdaFormer", **without_defaults(arguments, _FORMER)}


def tadaconvnext(shapes: Shapes) -> Iterator[Config]:
    """Yields the configuration that may have these names and shapes."""
    width, channels, kernel, _, _ = shapes["downsample_layers.0.0.weight"]
    depths = [len(numbers(shapes, f"stages.{stage}.")) for stage in range(4)]
    inside = [shapes[f"stages.{stage}.0.dwconv_rf.a.weight"] for stage in range(4) if depths[stage]]
    last = next(shape for key, shape in shapes.items() if key.endswith(".dwconv_rf.b.weight"))
    arguments = {
        "depths": depths,
        "widths": [width, *(shapes[f"downsample_layers.{stage}.1.weight"][0] for stage in range(1, 4))],
        "in_chans": channels,
        "stem_kernel": kernel,
        # What sees one frame has nothing to skip.
        "stem_stride": 1 if kernel == 1 else 2,
        "route_reduction": inside[0][1] // inside[0][0],
        "route_kernels": [inside[0][2], last[2]],
        # The published networks have the largest heads that all stages can share.
        "head_dim": math.gcd(*(shape[0] for shape in inside)),
    }
    yield {"type": "TAdaConvNeXtV2", **without_defaults(arguments, _CONVNEXT)}

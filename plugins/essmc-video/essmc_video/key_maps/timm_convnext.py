"""Key maps between timm's ConvNeXt and `TAdaConvNeXtV2`, for backbones, both ways.

timm's convolutions are 2D: load them with ``inflate="centre"``. Its classifier, ``head.fc``, is dropped. What adapts
over time is TAdaConvNeXtV2's alone.
The authors' own ConvNeXt has the keys of `TAdaConvNeXtV2` already.
"""

from __future__ import annotations

KeyMap = tuple[tuple[str, str], ...]

FROM_TIMM: KeyMap = (
    (r"^stem\.", "downsample_layers.0."),
    (r"^stages\.(\d)\.downsample\.", r"downsample_layers.\1."),
    (r"^(stages\.\d)\.blocks\.", r"\1."),
    (r"\.conv_dw\.", ".dwconv."),
    (r"\.mlp\.fc(\d)\.", r".pwconv\1."),
    (r"^(?:head\.norm|norm_pre)\.", "norm."),
    (r"^head\..*$", ""),
)
TO_TIMM: KeyMap = (
    (r"^norm\.", "head.norm."),
    (r"\.pwconv(\d)\.", r".mlp.fc\1."),
    (r"\.dwconv\.", ".conv_dw."),
    (r"^(stages\.\d)\.(\d+)\.", r"\1.blocks.\2."),
    (r"^downsample_layers\.0\.", "stem."),
    (r"^downsample_layers\.(\d)\.", r"stages.\1.downsample."),
)

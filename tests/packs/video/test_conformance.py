"""Every backbone of essmc-video, in a narrow form, by the classes of the devkit."""

from __future__ import annotations

from typing import Any

from essmc_devkit.testing import BackboneConformance, HeadConformance
from tests.samples.narrow_video import MVIT, TRANSFORMER, TRANSFORMERS

_FILTERS: dict[str, Any] = {"depth": 10, "num_filters": (8, 16, 16, 16, 24)}
_BOTTLENECK: dict[str, Any] = {"depth": 26, "num_filters": (8, 16, 16, 16, 24)}
_THIN: dict[str, Any] = {"stem_width": 8, "stage_widths": (16, 32, 32, 32)}
_TADAFORMER: dict[str, Any] = {"width": 64, "depth": 2, "heads": 4, "input_size": 32, "head_dim": 16}
_RESNETS = ("ResNet3D", "ResNetR2D3D", "ResNet2Plus1d")
_BOTTLENECKS = ("ResNet3D_CSN", "ResNet3D_TAda", "ResNet3D_IPCSN")
NARROW: dict[str, dict[str, Any]] = {
    **dict.fromkeys(_RESNETS, _FILTERS),
    **dict.fromkeys(_BOTTLENECKS, _BOTTLENECK),
    **dict.fromkeys(("BottleneckResNet3D", "C2D", "I3D", "SlowOnly", "R2Plus1DBottleneck"), _THIN),
    "SlowFast": {"stem_width": 16, "stage_widths": (32, 32, 64, 64)},
    "X3D": {"depth_factor": 1.0},
    "S3D": {},
    "S3DG": {},
    "TAdaConvNeXtV2": {"depths": [1, 1, 2, 1], "widths": [16, 32, 48, 64], "head_dim": 8},
    "TAdaFormer": _TADAFORMER,
    "MViT": MVIT,
    **dict.fromkeys(TRANSFORMERS, TRANSFORMER),
}
SHAPES = {
    **dict.fromkeys((*_RESNETS, *_BOTTLENECKS, "TAdaFormer", "TAdaConvNeXtV2", "MViT", *TRANSFORMERS), (3, 4, 32, 32)),
    **dict.fromkeys(("BottleneckResNet3D", "C2D", "I3D", "SlowOnly", "R2Plus1DBottleneck", "SlowFast"), (3, 8, 64, 64)),
    "X3D": (3, 4, 64, 64),
    "S3D": (3, 8, 32, 32),
    "S3DG": (3, 8, 32, 32),
}


CASES = {
    **{name: ({"type": name, **arguments}, SHAPES[name]) for name, arguments in NARROW.items()},
    "TAdaFormer enhanced": (
        {"type": "TAdaFormer", **_TADAFORMER, "temporally_enhanced": True, "double_tada": True},
        (3, 6, 32, 32),
    ),
}
NOT_IN_THE_ZOO = ("ResNet3D", "Transformer", "FactorizedTransformer")


class TestBackbones(BackboneConformance):
    cases = {name: case for name, case in CASES.items() if name not in NOT_IN_THE_ZOO}
    quick = ("ResNet3D_TAda", "SlowFast", "MViT", "TAdaFormer", "Timesformer")
    traces = exports = onnx = "tests/zoo traces and exports their models"
    warnings_fail = True


class TestBackbonesWithoutModels(BackboneConformance):
    cases = {name: CASES[name] for name in NOT_IN_THE_ZOO}
    quick = ("ResNet3D",)
    onnx = "the layers are those of the others"
    warnings_fail = True


class TestLifts(BackboneConformance):
    cases = {
        mode: (
            {"type": "Lift2D", "backbone": {"type": "timm/test_resnet"}, "mode": mode, "num_frames": 4},
            (3, 4, 64, 64),
        )
        for mode in ("tsn", "tsm", "tada", "inflate")
    }
    quick = ("tada",)
    onnx = "the layers are those of image backbones and of calibrated convolutions"
    warnings_fail = True


class TestWindowHead(HeadConformance):
    config = {"type": "WindowPoolHead", "dim": 8, "num_classes": 5, "pool_kernel_size": [2, 2, 2]}
    input_shape = (8, 3, 4, 4)
    exports = "tests/zoo exports every head"


class TestX3DHead(HeadConformance):
    config = {"type": "X3DHead", "dim": 8, "dim_inner": 16, "num_classes": 5, "pool_kernel_size": [2, 2, 2]}
    input_shape = (8, 3, 4, 4)
    exports = "tests/zoo exports every head"

"""Networks of timm as backbones, one of each way to wrap them, by the class of the devkit."""

from __future__ import annotations

from essmc_devkit.testing import BackboneConformance


class TestBackbones(BackboneConformance):
    cases = {
        "convolutions": ({"type": "timm/test_resnet"}, (3, 64, 64)),
        "maps": ({"type": "timm/test_resnet", "pool": False}, (3, 64, 64)),
        "tokens": ({"type": "timm/test_vit", "img_size": 64}, (3, 64, 64)),
    }
    exports = "tests/zoo exports a model of each family"

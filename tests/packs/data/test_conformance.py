"""Transforms, frame samplers and data sets of essmc-data, by the classes of the devkit."""

from __future__ import annotations

from essmc_core import FRAME_SAMPLERS
from essmc_devkit.testing import DatasetConformance, SamplerConformance, TransformConformance


class TestTransforms(TransformConformance):
    cases = {
        **{
            name: name
            for name in (
                "Identity",
                "RandomHorizontalFlip",
                "ImageToTensor",
                "VideoToTensor",
                "RandomHorizontalFlipVideo",
                "ColorJitterVideo",
                "AugMix",
                "RandomCrop",
                "RandomResizedCrop",
                "Resize",
                "CenterCrop",
                "RandomResizedCropVideo",
                "CenterCropVideo",
                "ResizeVideo",
                "AutoResizedCropVideo",
                "NormalizeVideo",
                "Normalize",
            )
        },
        "Select": {"type": "Select", "keys": ["gt_label"]},
        "ToTensor": {"type": "ToTensor", "keys": ["gt_label"]},
        "Compose": {"type": "Compose", "transforms": [{"type": "CenterCrop", "size": 16}, "ImageToTensor"]},
        "TorchvisionTransform": {
            "type": "TorchvisionTransform",
            "name": "GaussianBlur",
            "arguments": {"kernel_size": 3},
        },
    }


class TestSamplers(SamplerConformance):
    cases = {name: name for name in FRAME_SAMPLERS}


class TestDatasets(DatasetConformance):
    config = {"type": "MovingImages", "clips": 4}

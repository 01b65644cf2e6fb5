"""Names of the key maps that this pack registers; none is imported here."""

from __future__ import annotations

from essmc_core.discovery.hooks import StagedRegistries

_NAMES = {
    "pytorchvideo_resnet": "pytorchvideo's Slow and ir-CSN",
    "pytorchvideo_resnet_pooled": "pytorchvideo's C2D and I3D, which pool after the second stage",
    "pytorchvideo_r2plus1d": "pytorchvideo's R(2+1)D",
    "pytorchvideo_slowfast": "pytorchvideo's SlowFast",
    "pytorchvideo_x3d": "pytorchvideo's X3D",
    "pytorchvideo_mvit": "pytorchvideo's MViT for clips",
    "pytorchvideo_mvit_images": "pytorchvideo's MViT for images",
    "pyslowfast_resnet": "PySlowFast's C2D, I3D and Slow",
    "pyslowfast_slowfast": "PySlowFast's SlowFast",
    "pyslowfast_x3d": "PySlowFast's X3D, which is built with `shortcut_norm: always`",
    "image_resnet": "Image ResNets of torchvision and timm, into the backbones of 3D ResNets",
    "clip_visual": "CLIP's image encoder, into TAdaFormer",
    "timm_convnext": "timm's ConvNeXt, into TAdaConvNeXt",
    "tadaconv_s3dg": "TAdaConv's S3D-G, whose state dicts hold every block twice",
    "torchvision_s3d": "torchvision's S3D",
    "torchvision_tsm": "torchvision's ResNets, into TSM",
    "tsm_authors": "The TSM of its authors",
    "mmaction2_tsm": "mmaction2's TSM",
    "to_pytorchvideo_resnet": "From our names to those of pytorchvideo's Slow and ir-CSN",
    "to_pytorchvideo_resnet_pooled": "From our names to those of pytorchvideo's C2D and I3D",
    "to_pytorchvideo_r2plus1d": "From our names to those of pytorchvideo's R(2+1)D",
    "to_pytorchvideo_slowfast": "From our names to those of pytorchvideo's SlowFast",
    "to_pytorchvideo_x3d": "From our names to those of pytorchvideo's X3D",
    "to_pytorchvideo_mvit": "From our names to those of pytorchvideo's MViT for clips",
    "to_pyslowfast_resnet": "From our names to those of PySlowFast's C2D, I3D and Slow",
    "to_pyslowfast_slowfast": "From our names to those of PySlowFast's SlowFast",
    "to_pyslowfast_x3d": "From our names to those of PySlowFast's X3D",
}


def register(registries: StagedRegistries) -> None:
    """Registers the key maps."""
    for name, origin in _NAMES.items():
        registries.key_maps.register(name, f"essmc_video.key_maps.named:{name}", summary=origin)

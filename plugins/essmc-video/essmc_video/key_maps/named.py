"""Key maps under the names by which weights may ask for them: `key_map: pyslowfast_x3d`, `--key-map pyslowfast_x3d`."""

from __future__ import annotations

from essmc_core.weights.source import KeyMap


def pytorchvideo_resnet() -> KeyMap:
    """Returns the key map of pytorchvideo's Slow and ir-CSN."""
    from essmc_video.key_maps.pytorchvideo_resnet import TO_OURS

    return TO_OURS


def pytorchvideo_resnet_pooled() -> KeyMap:
    """Returns the key map of pytorchvideo's C2D and I3D, which pool after the second stage."""
    from essmc_video.key_maps.pytorchvideo_resnet import POOLED_TO_OURS

    return POOLED_TO_OURS


def pytorchvideo_r2plus1d() -> KeyMap:
    """Returns the key map of pytorchvideo's R(2+1)D."""
    from essmc_video.key_maps.pytorchvideo_resnet import FACTORISED_TO_OURS

    return FACTORISED_TO_OURS


def pytorchvideo_slowfast() -> KeyMap:
    """Returns the key map of pytorchvideo's SlowFast."""
    from essmc_video.key_maps.pytorchvideo_slowfast import TO_OURS

    return TO_OURS


def pytorchvideo_x3d() -> KeyMap:
    """Returns the key map of pytorchvideo's X3D."""
    from essmc_video.key_maps.pytorchvideo_x3d import TO_OURS

    return TO_OURS


def pytorchvideo_mvit() -> KeyMap:
    """Returns the key map of pytorchvideo's MViT for clips."""
    from essmc_video.key_maps.pytorchvideo_mvit import TO_OURS

    return TO_OURS


def pytorchvideo_mvit_images() -> KeyMap:
    """Returns the key map of pytorchvideo's MViT for images."""
    from essmc_video.key_maps.pytorchvideo_mvit import IMAGES_TO_OURS

    return IMAGES_TO_OURS


def pyslowfast_resnet() -> KeyMap:
    """Returns the key map of PySlowFast's C2D, I3D and Slow."""
    from essmc_video.key_maps.slowfast_resnet import TO_OURS

    return TO_OURS


def pyslowfast_slowfast() -> KeyMap:
    """Returns the key map of PySlowFast's SlowFast."""
    from essmc_video.key_maps.slowfast_slowfast import TO_OURS

    return TO_OURS


def pyslowfast_x3d() -> KeyMap:
    """Returns the key map of PySlowFast's X3D, which is built with `shortcut_norm: always`."""
    from essmc_video.key_maps.slowfast_x3d import TO_OURS

    return TO_OURS


def image_resnet() -> KeyMap:
    """Returns the key map of image ResNets of torchvision and timm, into the backbones of 3D ResNets."""
    from essmc_video.key_maps.image_resnet import FROM_IMAGE

    return FROM_IMAGE


def clip_visual() -> KeyMap:
    """Returns the key map of CLIP's image encoder, into TAdaFormer."""
    from essmc_video.key_maps.clip_tadaformer import FROM_CLIP

    return FROM_CLIP


def timm_convnext() -> KeyMap:
    """Returns the key map of timm's ConvNeXt, into TAdaConvNeXt."""
    from essmc_video.key_maps.timm_convnext import FROM_TIMM

    return FROM_TIMM


def torchvision_s3d() -> KeyMap:
    """Returns the key map of torchvision's S3D."""
    from essmc_video.key_maps.torchvision_s3d import FROM_TORCHVISION

    return FROM_TORCHVISION


def torchvision_tsm() -> KeyMap:
    """Returns the key map of torchvision's ResNets, into TSM."""
    from essmc_video.key_maps.tsm import FROM_TORCHVISION

    return FROM_TORCHVISION


def tsm_authors() -> KeyMap:
    """Returns the key map of the TSM of its authors."""
    from essmc_video.key_maps.tsm import FROM_AUTHORS

    return FROM_AUTHORS


def mmaction2_tsm() -> KeyMap:
    """Returns the key map of mmaction2's TSM."""
    from essmc_video.key_maps.tsm import FROM_MMACTION2

    return FROM_MMACTION2


def tadaconv_s3dg() -> KeyMap:
    """Returns the key map of TAdaConv's S3D-G, which leaves out the blocks' other names."""
    from essmc_video.key_maps.tadaconv_s3dg import TO_OURS

    return TO_OURS


def to_pytorchvideo_resnet() -> KeyMap:
    """Returns the key map from our names to those of pytorchvideo's Slow and ir-CSN."""
    from essmc_video.key_maps.pytorchvideo_resnet import TO_THEIRS

    return TO_THEIRS


def to_pytorchvideo_resnet_pooled() -> KeyMap:
    """Returns the key map from our names to those of pytorchvideo's C2D and I3D."""
    from essmc_video.key_maps.pytorchvideo_resnet import POOLED_TO_THEIRS

    return POOLED_TO_THEIRS


def to_pytorchvideo_r2plus1d() -> KeyMap:
    """Returns the key map from our names to those of pytorchvideo's R(2+1)D."""
    from essmc_video.key_maps.pytorchvideo_resnet import FACTORISED_TO_THEIRS

    return FACTORISED_TO_THEIRS


def to_pytorchvideo_slowfast() -> KeyMap:
    """Returns the key map from our names to those of pytorchvideo's SlowFast."""
    from essmc_video.key_maps.pytorchvideo_slowfast import TO_THEIRS

    return TO_THEIRS


def to_pytorchvideo_x3d() -> KeyMap:
    """Returns the key map from our names to those of pytorchvideo's X3D."""
    from essmc_video.key_maps.pytorchvideo_x3d import TO_THEIRS

    return TO_THEIRS


def to_pytorchvideo_mvit() -> KeyMap:
    """Returns the key map from our names to those of pytorchvideo's MViT for clips."""
    from essmc_video.key_maps.pytorchvideo_mvit import TO_THEIRS

    return TO_THEIRS


def to_pyslowfast_resnet() -> KeyMap:
    """Returns the key map from our names to those of PySlowFast's C2D, I3D and Slow."""
    from essmc_video.key_maps.slowfast_resnet import TO_THEIRS

    return TO_THEIRS


def to_pyslowfast_slowfast() -> KeyMap:
    """Returns the key map from our names to those of PySlowFast's SlowFast."""
    from essmc_video.key_maps.slowfast_slowfast import TO_THEIRS

    return TO_THEIRS


def to_pyslowfast_x3d() -> KeyMap:
    """Returns the key map from our names to those of PySlowFast's X3D."""
    from essmc_video.key_maps.slowfast_x3d import TO_THEIRS

    return TO_THEIRS

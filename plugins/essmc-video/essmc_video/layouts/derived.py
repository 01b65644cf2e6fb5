"""The layouts of networks whose arguments names and shapes tell, each with the key map from its names to ours."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from essmc_core.weights.layouts.layout import Derived, Shapes
from essmc_video.key_maps.pytorchvideo_mvit import LONG_TO_SHORT
from essmc_video.key_maps.tadaconv_s3dg import AGAIN
from essmc_video.layouts.arguments.bottlenecks import bottlenecks, factorised_bottlenecks, general_bottlenecks
from essmc_video.layouts.arguments.mvit import mvit
from essmc_video.layouts.arguments.residual import general_residual_networks, residual_networks
from essmc_video.layouts.arguments.s3d import separable_inception
from essmc_video.layouts.arguments.shared import Config
from essmc_video.layouts.arguments.slowfast import slowfast
from essmc_video.layouts.arguments.tada import tadaconvnext, tadaformer
from essmc_video.layouts.arguments.transformers import transformers
from essmc_video.layouts.arguments.x3d import x3d, x3d_head
from essmc_video.layouts.heads import slowfast_head, window_head, window_head_of_probabilities

_STRIDES = ("spatial_strides", "temporal_strides", "bn_params")
_PATHS = ("alpha", "slow_index", "bn_params")
_WINDOWS = "the head's windows"
_POOLS = ("pool_q_stride_size", "pool_kv_stride_adaptive", "conv_patch_embed_stride", "residual_pool")
# pytorchvideo's ir-CSN has torch's batch norms, EssentialMC2's has not.
_TORCH_NORMS = {"eps": 1e-5, "momentum": 0.1}


def our_transformers() -> Derived:
    """Returns the layout of our video transformers, which are EssentialMC2's."""
    return Derived(
        "EssentialMC2",
        transformers,
        "stem.conv1.",
        untold=("branch_cfg.num_heads", "how frames and image_size share the positions"),
    )


def our_residual_networks() -> Derived:
    """Returns the layout of our residual 3D networks, which are EssentialMC2's."""
    return Derived(
        "EssentialMC2",
        residual_networks,
        "conv2.res_1.conv_branch.",
        otherwise=general_residual_networks,
        untold=("stem_name", "downsampling", "downsampling_temporal", "bn_params"),
    )


def our_bottlenecks() -> Derived:
    """Returns the layout of our C2D, I3D, Slow and R(2+1)D of bottlenecks."""
    return Derived(
        "essmc",
        _any_bottlenecks,
        "conv2.res_1.conv_branch.",
        otherwise=general_bottlenecks,
        untold=("temporal_pool", *_STRIDES),
        heads=window_head,
    )


def our_slowfast() -> Derived:
    """Returns the layout of our SlowFast, which is TAdaConv's."""
    return Derived("TAdaConv", slowfast, "slowfast_fusion1.", untold=_PATHS, heads=slowfast_head)


def our_x3d() -> Derived:
    """Returns the layout of our X3D."""
    return Derived("essmc", x3d, "conv1.spatial.", untold=_STRIDES, heads=x3d_head)


def our_mvit() -> Derived:
    """Returns the layout of our MViT."""
    return Derived("essmc", mvit, "attn.pool_k.", untold=_POOLS)


def our_s3d() -> Derived:
    """Returns the layout of our S3D and S3D-G."""
    return Derived("essmc", separable_inception, "block3.1.branch1.1.conv1.", untold=("bn_params",))


def tadaconv_s3dg() -> Derived:
    """Returns the layout of TAdaConv's S3D-G, whose blocks have two names each."""
    return Derived("TAdaConv", separable_inception, "Mixed_3b.branch1.", key_map="tadaconv_s3dg", again=AGAIN)


def tadaconv_tadaformer() -> Derived:
    """Returns the layout of TAdaFormer."""
    return Derived("TAdaConv", tadaformer, ".tada.tadaconv.", untold=("heads", "head_dim", "temporal_stride"))


def tadaconv_convnext() -> Derived:
    """Returns the layout of TAdaConvNeXtV2."""
    return Derived("TAdaConv", tadaconvnext, ".dwconv_rf.", untold=("head_dim", "stem_stride"))


def pytorchvideo_resnets() -> Derived:
    """Returns the layout of pytorchvideo's Slow and ir-CSN."""
    return Derived(
        "pytorchvideo",
        _slow_or_csn,
        ".res_blocks.0.branch2.",
        key_map="pytorchvideo_resnet",
        back="to_pytorchvideo_resnet",
        untold=(*_STRIDES, _WINDOWS),
        heads=window_head,
        otherwise=partial(general_bottlenecks, pools_in_time=False),
    )


def pytorchvideo_resnets_pooled() -> Derived:
    """Returns the layout of pytorchvideo's C2D and I3D."""
    return Derived(
        "pytorchvideo",
        partial(bottlenecks, pools_in_time=True),
        ".res_blocks.0.branch2.",
        key_map="pytorchvideo_resnet_pooled",
        back="to_pytorchvideo_resnet_pooled",
        untold=(*_STRIDES, _WINDOWS),
        heads=window_head,
        otherwise=partial(general_bottlenecks, pools_in_time=True),
    )


def pytorchvideo_r2plus1ds() -> Derived:
    """Returns the layout of pytorchvideo's R(2+1)D."""
    return Derived(
        "pytorchvideo",
        factorised_bottlenecks,
        ".branch2.conv_b.conv_t.",
        key_map="pytorchvideo_r2plus1d",
        back="to_pytorchvideo_r2plus1d",
        untold=(*_STRIDES, _WINDOWS),
        heads=window_head_of_probabilities,
    )


def pytorchvideo_slowfasts() -> Derived:
    """Returns the layout of pytorchvideo's SlowFast."""
    return Derived(
        "pytorchvideo",
        slowfast,
        ".multipathway_fusion.",
        key_map="pytorchvideo_slowfast",
        back="to_pytorchvideo_slowfast",
        untold=(*_PATHS, _WINDOWS),
        heads=slowfast_head,
    )


def pytorchvideo_x3ds() -> Derived:
    """Returns the layout of pytorchvideo's X3D."""
    return Derived(
        "pytorchvideo",
        x3d,
        ".0.conv.conv_t.",
        key_map="pytorchvideo_x3d",
        back="to_pytorchvideo_x3d",
        untold=(*_STRIDES, _WINDOWS),
        heads=x3d_head,
    )


def pytorchvideo_mvits() -> Derived:
    """Returns the layout of pytorchvideo's MViT for clips."""
    return Derived(
        "pytorchvideo",
        mvit,
        "patch_embed.patch_model.",
        key_map="pytorchvideo_mvit",
        back="to_pytorchvideo_mvit",
        untold=_POOLS,
        again=LONG_TO_SHORT,
    )


def pyslowfast_resnets() -> Derived:
    """Returns the layout of PySlowFast's C2D, I3D and Slow."""
    return Derived(
        "PySlowFast",
        bottlenecks,
        "s1.pathway0_stem.conv.",
        key_map="pyslowfast_resnet",
        back="to_pyslowfast_resnet",
        untold=("temporal_pool", *_STRIDES),
        heads=window_head,
        otherwise=general_bottlenecks,
    )


def pyslowfast_slowfasts() -> Derived:
    """Returns the layout of PySlowFast's SlowFast."""
    return Derived(
        "PySlowFast",
        slowfast,
        "s1.pathway1_stem.",
        key_map="pyslowfast_slowfast",
        back="to_pyslowfast_slowfast",
        untold=_PATHS,
        heads=slowfast_head,
    )


def pyslowfast_x3ds() -> Derived:
    """Returns the layout of PySlowFast's X3D."""
    return Derived(
        "PySlowFast",
        x3d,
        "s1.pathway0_stem.conv_xy.",
        key_map="pyslowfast_x3d",
        back="to_pyslowfast_x3d",
        untold=_STRIDES,
        heads=x3d_head,
    )


def _any_bottlenecks(shapes: Shapes) -> Iterator[Config]:
    yield from bottlenecks(shapes)
    yield from factorised_bottlenecks(shapes)


def _slow_or_csn(shapes: Shapes) -> Iterator[Config]:
    yield from bottlenecks(shapes, pools_in_time=False)
    for config in residual_networks(shapes):
        if config["type"] == "ResNet3D_CSN":
            yield {**config, "bn_params": _TORCH_NORMS}

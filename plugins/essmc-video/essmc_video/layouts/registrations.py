"""Names of the layouts that this pack registers; nothing is imported here."""

from __future__ import annotations

from essmc_core.discovery.hooks import StagedRegistry

_NAMES = {
    "essentialmc2": "EssentialMC2 and TAdaConv, whose names are ours",
    "pytorchvideo_resnet": "pytorchvideo: Slow and ir-CSN",
    "pytorchvideo_resnet_pooled": "pytorchvideo: C2D and I3D",
    "pytorchvideo_r2plus1d": "pytorchvideo: R(2+1)D",
    "pytorchvideo_slowfast": "pytorchvideo: SlowFast",
    "pytorchvideo_x3d": "pytorchvideo: X3D",
    "pytorchvideo_mvit": "pytorchvideo: MViT",
    "pyslowfast_resnet": "PySlowFast: C2D, I3D and Slow",
    "pyslowfast_slowfast": "PySlowFast: SlowFast",
    "mmaction2_tsm": "mmaction2: TSM",
    "tsm_authors": "TSM of its authors",
    "transformers_library": "Hugging Face's transformers: VideoMAE, TimeSformer, ViViT and CLIP",
}
# Of any arguments.
_DERIVED = {
    "our_transformers": "ViViT and TimeSformer",
    "our_residual_networks": "five-stage residual 3D networks",
    "our_bottlenecks": "C2D, I3D, Slow and R(2+1)D of bottlenecks",
    "our_slowfast": "SlowFast, by TAdaConv's names, which are ours",
    "our_x3d": "X3D",
    "our_mvit": "MViT",
    "our_s3d": "S3D and S3D-G",
    "tadaconv_s3dg": "TAdaConv's S3D-G",
    "tadaconv_tadaformer": "TAdaFormer",
    "tadaconv_convnext": "TAdaConvNeXtV2",
    "pytorchvideo_resnets": "pytorchvideo's Slow and ir-CSN",
    "pytorchvideo_resnets_pooled": "pytorchvideo's C2D and I3D",
    "pytorchvideo_r2plus1ds": "pytorchvideo's R(2+1)D",
    "pytorchvideo_slowfasts": "pytorchvideo's SlowFast",
    "pytorchvideo_x3ds": "pytorchvideo's X3D",
    "pytorchvideo_mvits": "pytorchvideo's MViT",
    "pyslowfast_resnets": "PySlowFast's C2D, I3D and Slow",
    "pyslowfast_slowfasts": "PySlowFast's SlowFast",
    "pyslowfast_x3ds": "PySlowFast's X3D",
}


def register(layouts: StagedRegistry) -> None:
    """Registers the layouts."""
    for name, summary in _NAMES.items():
        layouts.register(name, f"essmc_video.layouts.named:{name}", summary=summary)
    for name, summary in _DERIVED.items():
        layouts.register(name, f"essmc_video.layouts.derived:{name}", summary=summary)

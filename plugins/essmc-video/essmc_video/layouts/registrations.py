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
    "our_transformers": "video transformers of any arguments",
    "our_residual_networks": "five-stage residual networks of any arguments",
}


def register(layouts: StagedRegistry) -> None:
    """Registers the layouts."""
    for name, summary in _NAMES.items():
        layouts.register(name, f"essmc_video.layouts.named:{name}", summary=summary)

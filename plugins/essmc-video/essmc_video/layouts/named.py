"""The layouts of known networks by name, each with the key map that leads from its names to ours."""

from __future__ import annotations

from pathlib import Path

from essmc_core.weights.layouts.layout import Foreign, Layout
from essmc_video.key_maps.pytorchvideo_mvit import LONG_TO_SHORT
from essmc_video.layouts.transformers_library import networks

_ENTRIES = Path(__file__).parent / "entries.json"
# Names of image networks lifted to video do not say how they are lifted; those of shifted convolutions do.
_SHIFTED = Path(__file__).parent / "shifted.json"
_PATCHES = "patch_embed.patch_model."


def essentialmc2() -> Layout:
    """Returns the layout of EssentialMC2 and TAdaConv, whose names are ours."""
    return Layout("EssentialMC2", _ENTRIES)


def pytorchvideo_resnet() -> Layout:
    """Returns the layout of pytorchvideo: Slow and ir-CSN."""
    return Layout("pytorchvideo", _ENTRIES, key_map="pytorchvideo_resnet", sign=".res_blocks.0.branch2.")


def pytorchvideo_resnet_pooled() -> Layout:
    """Returns the layout of pytorchvideo: C2D and I3D."""
    return Layout("pytorchvideo", _ENTRIES, key_map="pytorchvideo_resnet_pooled", sign=".res_blocks.0.branch2.")


def pytorchvideo_r2plus1d() -> Layout:
    """Returns the layout of pytorchvideo: R(2+1)D."""
    return Layout("pytorchvideo", _ENTRIES, key_map="pytorchvideo_r2plus1d", sign=".branch2.conv_b.conv_t.")


def pytorchvideo_slowfast() -> Layout:
    """Returns the layout of pytorchvideo: SlowFast."""
    return Layout("pytorchvideo", _ENTRIES, key_map="pytorchvideo_slowfast", sign=".multipathway_fusion.")


def pytorchvideo_x3d() -> Layout:
    """Returns the layout of pytorchvideo: X3D."""
    return Layout("pytorchvideo", _ENTRIES, key_map="pytorchvideo_x3d", sign=".0.conv.conv_t.")


def pytorchvideo_mvit() -> Layout:
    """Returns the layout of pytorchvideo: MViT."""
    return Layout("pytorchvideo", _ENTRIES, key_map="pytorchvideo_mvit", sign=_PATCHES, again=LONG_TO_SHORT)


def pyslowfast_resnet() -> Layout:
    """Returns the layout of PySlowFast: C2D, I3D and Slow."""
    return Layout("PySlowFast", _ENTRIES, key_map="pyslowfast_resnet", sign="s1.pathway0_stem.conv.")


def pyslowfast_slowfast() -> Layout:
    """Returns the layout of PySlowFast: SlowFast."""
    return Layout("PySlowFast", _ENTRIES, key_map="pyslowfast_slowfast", sign="s1.pathway1_stem.")


def mmaction2_tsm() -> Layout:
    """Returns the layout of mmaction2: TSM."""
    return Layout("mmaction2", _SHIFTED, key_map="mmaction2_tsm", sign=".conv.net.")


def tsm_authors() -> Layout:
    """Returns the layout of the authors of TSM: TSM."""
    return Layout("TSM's authors", _SHIFTED, key_map="tsm_authors", sign=".conv1.net.")


def transformers_library() -> Foreign:
    """Returns the layout of Hugging Face's transformers."""
    return Foreign(
        "transformers", networks,
        {
            "VideoMAE": "nearest: `essmc show vivit_b16x2_k400`, joint attention with a class token",
            "ViViT": "nearest: `essmc show vivit_b16x2_k400`, whose attention keeps q, k and v in one tensor",
            "TimeSformer": "nearest: `essmc show timesformer_divst_b16_k400`, with one table of positions",
            "CLIP's vision tower": "nearest: timm's vit_base_patch16_clip_224 and its kin (`essmc models '*clip*'`)",
        },
    )  # fmt: skip

"""What the video transformers bring, by name; none is imported here."""

from __future__ import annotations

from functools import partial

from essmc_core.discovery.hooks import StagedRegistries
from essmc_video.arguments import retired

PACKAGE = "essmc_video.networks.transformers"


def register(registries: StagedRegistries) -> None:
    """Registers the backbones, then their bricks."""
    joint = partial(registries.backbones.register, check=f"{PACKAGE}.rules:check_transformer")
    factorized = partial(registries.backbones.register, check=f"{PACKAGE}.rules:check_factorized")
    joint("Transformer", f"{PACKAGE}.transformer:Transformer", summary="One encoder over all tokens of a clip")
    factorized(
        "FactorizedTransformer",
        f"{PACKAGE}.factorized:FactorizedTransformer",
        summary="An encoder over space, then one over time",
    )
    joint("ViVit", f"{PACKAGE}.presets:ViVit", summary="ViViT model 1: joint attention")
    factorized("ViVit_Fac_Enc", f"{PACKAGE}.presets:ViVit_Fac_Enc", summary="ViViT model 2: factorised encoder")
    joint("ViVit_Fac_Attn", f"{PACKAGE}.presets:ViVit_Fac_Attn", summary="ViViT model 3: factorised self-attention")
    joint(
        "ViVit_Fac_Dot", f"{PACKAGE}.presets:ViVit_Fac_Dot", summary="ViViT model 4: factorised dot-product attention"
    )
    joint("Timesformer", f"{PACKAGE}.presets:Timesformer", summary="TimeSformer with divided attention")
    joint("Timesformer_Joint", f"{PACKAGE}.presets:Timesformer_Joint", summary="TimeSformer with joint attention")
    factorized("Timesformer_Space", f"{PACKAGE}.presets:Timesformer_Space", summary="TimeSformer over space only")
    _register_bricks(registries)


def _register_bricks(registries: StagedRegistries) -> None:
    add = partial(registries.bricks.register, retired=retired.OF_BRICKS)
    add("BaseTransformerLayer", f"{PACKAGE}.layers:BaseTransformerLayer", summary="Attention among all tokens")
    add("TimesformerLayer", f"{PACKAGE}.layers:TimesformerLayer", summary="Attention over time, then over space")
    add(
        "FactorizedAttentionLayer",
        f"{PACKAGE}.layers:FactorizedAttentionLayer",
        summary="Attention over space, then over time, without a class token",
    )
    add(
        "FactorizedDotProductLayer",
        f"{PACKAGE}.layers:FactorizedDotProductLayer",
        summary="Half of the heads over space, half over time",
    )
    add("PatchEmbedStem", f"{PACKAGE}.stems:PatchEmbedStem", summary="One token per patch of a frame")
    add("TubeletEmbeddingStem", f"{PACKAGE}.stems:TubeletEmbeddingStem", summary="One token per tubelet")

"""What this family registers, by name; no component is imported here."""

from __future__ import annotations

from essmc_core.discovery.hooks import StagedRegistries


def register(registries: StagedRegistries) -> None:
    """Registers the backbone."""
    registries.backbones.register(
        "MViT",
        "essmc_video.networks.mvit.backbone:MViT",
        summary="Transformer that pools its tokens in attention, stage by stage",
        check="essmc_video.networks.mvit.rules:check_mvit",
    )

"""Registers the lift."""

from __future__ import annotations

from essmc_core.discovery.hooks import StagedRegistries


def register(registries: StagedRegistries) -> None:
    """Registers the backbone."""
    registries.backbones.register(
        "Lift2D",
        "essmc_video.lift.backbone:Lift2D",
        summary="Any image backbone on clips: TSN, TSM, TAda or inflated",
        check="essmc_video.lift.rules:check_lift",
    )

"""What this family registers, by name; no component is imported here."""

from __future__ import annotations

from essmc_core.discovery.hooks import StagedRegistries


def register(registries: StagedRegistries) -> None:
    """Registers the backbone and its head."""
    registries.backbones.register(
        "SlowFast",
        "essmc_video.networks.slowfast.backbone:SlowFast",
        summary="Slow and fast path with lateral connections",
        check="essmc_video.networks.slowfast.rules:check_slowfast",
    )
    registries.heads.register(
        "SlowFastHead",
        "essmc_video.networks.slowfast.head:SlowFastHead",
        summary="Pools both paths and classifies them together",
        check="essmc_video.networks.slowfast.rules:check_slowfast_head",
    )

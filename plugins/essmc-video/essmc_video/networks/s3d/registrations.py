"""Registers S3D and S3D-G."""

from __future__ import annotations

from essmc_core.discovery.hooks import StagedRegistries


def register(registries: StagedRegistries) -> None:
    """Registers both backbones."""
    add = registries.backbones.register
    add("S3D", "essmc_video.networks.s3d.backbone:S3D", summary="Separable Inception, torchvision's form")
    add("S3DG", "essmc_video.networks.s3d.backbone:S3DG", summary="Separable Inception with feature gating")

"""What this pack registers."""

from __future__ import annotations

from pathlib import Path

from essmc_core import hookimpl
from essmc_core.discovery.hooks import StagedCommands, StagedRegistries, StagedZoo


@hookimpl
def register_components(registries: StagedRegistries) -> None:
    """Registers one component of each kind."""
    registries.backbones.register("SoundBackbone", "essmc_sound.backbone:SoundBackbone", summary="Two convolutions")
    registries.heads.register("SoundHead", "essmc_sound.head:SoundHead", summary="A linear layer")
    registries.losses.register("SoundLoss", "essmc_sound.loss:SoundLoss", summary="Cross entropy")
    registries.metrics.register("SoundMetric", "essmc_sound.metric:SoundMetric", summary="Accuracy")
    registries.models.register("SoundModel", "essmc_sound.model:SoundModel", summary="One convolution")
    registries.transforms.register("SoundTransform", "essmc_sound.transform:SoundTransform", summary="Flips pictures")


@hookimpl
def register_zoo(zoo: StagedZoo) -> None:
    """Adds the entries of the folder zoo."""
    zoo.add_directory(Path(__file__).parent / "zoo")


@hookimpl
def register_commands(cli: StagedCommands) -> None:
    """Adds ``essmc sound``."""
    cli.add_lazy("sound", "essmc_sound.command:main", help="Say that this pack is there.")

"""What this pack registers: a model, its zoo entry and a command."""

from __future__ import annotations

from pathlib import Path

from essmc_core import hookimpl
from essmc_core.discovery.hooks import StagedCommands, StagedRegistries, StagedZoo


@hookimpl
def register_components(registries: StagedRegistries) -> None:
    """Registers ``TransNetV2``."""
    registries.models.register(
        "TransNetV2", "essmc_shots.network:TransNetV2", summary="Where one shot of a video ends and the next begins"
    )


@hookimpl
def register_zoo(zoo: StagedZoo) -> None:
    """Adds ``transnetv2``."""
    zoo.add_directory(Path(__file__).parent / "zoo")


@hookimpl
def register_commands(cli: StagedCommands) -> None:
    """Adds ``essmc shots``."""
    cli.add_lazy("shots", "essmc_shots.command:shots", help="Find the shots of a video.")

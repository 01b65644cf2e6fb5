"""Finds, in any image backbone, the layers that a lift changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
SHORTCUTS = frozenset({"downsample", "shortcut", "short_cut", "skip", "skip_connection", "proj", "identity"})
STEMS = frozenset({"stem", "patch_embed", "stem_conv"})
ATTENTIONS = frozenset({"attn", "attention", "self_attention"})


@dataclass(frozen=True)
class BlockEntry:
    """Where a block begins to look at what it is given: its residual branch, if it has a shortcut.

    Attributes:
        stage: path of the module that holds the block.
        layer: first layer of the branch.
        channels: channels of the layer's input.
        channels_last: whether they are its last dimension rather than dimension 1.
    """

    stage: str
    layer: nn.Module
    channels: int
    channels_last: bool


def spatial_convolutions(backbone: nn.Module) -> list[tuple[str, nn.Conv2d]]:
    """Returns all 2D convolutions that see more than one pixel, by path, in the order they are defined."""
    return [
        (path, module)
        for path, module in backbone.named_modules()
        if isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1
    ]


def block_entries(backbone: nn.Module) -> list[BlockEntry]:
    """Returns the entry of each block of a backbone, in the order they are defined.

    Of these, the first that a backbone has any of:

    1. Blocks of a convolutional network: the innermost modules within a stage, containers apart, that hold a spatial
       convolution and one more layer with weights; entered by the first convolution that is not on their shortcut.
    2. Modules with an attention and layer norms; entered by their first layer norm.
    3. Other modules of a series (token mixers of all kinds) with two layers with weights or more; entered by their
       first layer.
    4. Spatial convolutions, but for the first (VGG, Inception).
    """
    for is_block, entry in (
        (_is_convolutional_block, _convolutional_entry),
        (_is_attention_block, _attention_entry),
        (_is_in_series(backbone), _first_entry),
    ):
        entries = [entry(path, block) for path, block in _innermost(backbone, is_block)]
        # A convolution of one channel belongs to a gate.
        found = [one for one in entries if one.channels > 1]
        if found:
            return found
    return [
        BlockEntry(path.rpartition(".")[0], convolution, convolution.in_channels, channels_last=False)
        for path, convolution in spatial_convolutions(backbone)[1:]
    ]


def _innermost(backbone: nn.Module, is_block: Callable[[nn.Module], bool]) -> list[tuple[str, nn.Module]]:
    # A direct child of the backbone is a stem, a stage or a head.
    found = [
        (path, module)
        for path, module in backbone.named_modules()
        if "." in path and path.partition(".")[0] not in STEMS and is_block(module)
    ]
    outer = {other for path, _ in found for other, _ in found if path.startswith(f"{other}.")}
    return [(path, module) for path, module in found if path not in outer]


def _is_convolutional_block(module: nn.Module) -> bool:
    if isinstance(module, CONTAINERS):
        return False
    weighted = [layer for layer in module.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    return len(weighted) > 1 and any(not _on_shortcut(path) for path, _ in spatial_convolutions(module))


def _is_attention_block(module: nn.Module) -> bool:
    names = {name for name, _ in module.named_children()}
    return bool(names & ATTENTIONS) and any(isinstance(child, nn.LayerNorm) for child in module.children())


def _is_in_series(backbone: nn.Module) -> Callable[[nn.Module], bool]:
    """Returns a check for members of a series that have two layers with weights or more."""
    series = [module for module in backbone.modules() if isinstance(module, CONTAINERS)]
    members = {id(member) for container in series for member in container.children()}

    def is_block(module: nn.Module) -> bool:
        if isinstance(module, CONTAINERS) or id(module) not in members:
            return False
        return sum(isinstance(layer, (nn.Conv2d, nn.Linear)) for layer in module.modules()) > 1

    return is_block


def _convolutional_entry(path: str, block: nn.Module) -> BlockEntry:
    layers = [(name, layer) for name, layer in block.named_modules() if isinstance(layer, nn.Conv2d)]
    first = next(layer for name, layer in layers if not _on_shortcut(name))
    return BlockEntry(path.rpartition(".")[0], first, first.in_channels, channels_last=False)


def _attention_entry(path: str, block: nn.Module) -> BlockEntry:
    first = next(child for child in block.children() if isinstance(child, nn.LayerNorm))
    return BlockEntry(path.rpartition(".")[0], first, first.normalized_shape[-1], channels_last=True)


def _first_entry(path: str, block: nn.Module) -> BlockEntry:
    layers = [layer for layer in block.modules() if isinstance(layer, (nn.Conv2d, nn.Linear, nn.LayerNorm))]
    stage, first = path.rpartition(".")[0], layers[0]
    if isinstance(first, nn.Conv2d):
        return BlockEntry(stage, first, first.in_channels, channels_last=False)
    channels = first.in_features if isinstance(first, nn.Linear) else first.normalized_shape[-1]
    return BlockEntry(stage, first, channels, channels_last=True)


def _on_shortcut(path: str) -> bool:
    return path.partition(".")[0] in SHORTCUTS

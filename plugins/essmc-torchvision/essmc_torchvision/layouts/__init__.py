"""The layout of torchvision's state dicts: a table of its networks by names and shapes."""

from __future__ import annotations

from pathlib import Path

from essmc_core.weights.layouts.layout import Layout


def torchvision() -> Layout:
    """Returns the layout of torchvision's state dicts."""
    return Layout("torchvision", Path(__file__).parent / "networks.json", holds="backbones", prefix="torchvision/")

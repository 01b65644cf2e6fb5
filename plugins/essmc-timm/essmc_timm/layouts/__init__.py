"""The layout of timm's state dicts: a table of its networks by names and shapes."""

from __future__ import annotations

from pathlib import Path

from essmc_core.weights.layouts.layout import Layout


def timm() -> Layout:
    """Returns the layout of timm's state dicts."""
    return Layout("timm", Path(__file__).parent / "networks.json", holds="backbones", prefix="timm/")

"""Initial weights of video transformers."""

from __future__ import annotations

from torch import nn

STD = 0.02


def initialize(model: nn.Module) -> None:
    """Draws linear layers and all tables (positions, class tokens) from a truncated normal distribution, in place.

    Convolutions keep torch's initialization. A layer's own, where it has one, comes last.
    """
    for parameter in model.parameters(recurse=False):
        nn.init.trunc_normal_(parameter, std=STD)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in model.modules():
        if callable(start := getattr(module, "init_as_identity", None)):
            start()

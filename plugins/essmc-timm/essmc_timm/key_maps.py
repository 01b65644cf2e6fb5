"""Key maps between timm's checkpoints and essmc's classifiers, both ways."""

from __future__ import annotations

import re

KeyMap = list[tuple[str, str]]


def from_timm(classifier: str) -> KeyMap:
    """Returns the key map that reads timm's checkpoints, as ``weights.key_map`` takes it.

    Args:
        classifier: path of timm's last linear layer, ``pretrained_cfg["classifier"]``, e.g. ``head.fc``.
    """
    last = [] if classifier == "head.fc" else [(f"^{re.escape(classifier)}\\.", "head.fc.")]
    return [*last, (r"^(?!head\.fc\.)", "backbone.")]


def to_timm(classifier: str) -> KeyMap:
    """Returns the key map from essmc's classifier to timm's model; argument as for `from_timm`."""
    return [(r"^head\.fc\.", f"{classifier}."), (r"^backbone\.", "")]

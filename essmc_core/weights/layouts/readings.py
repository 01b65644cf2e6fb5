"""The key maps by which a state dict of a recognised layout may be read into a module of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from essmc_core.weights.key_maps import NAMES
from essmc_core.weights.layouts.recognise import Match, recognise

KeyMap = tuple[tuple[str, str], ...]

# The last layers of our classifiers, of images and of clips.
_LAST_LAYERS = ("head.fc", "head.out")


def recognised_key_maps(tensors: Mapping[str, Any]) -> dict[KeyMap, str]:
    """Returns the key maps of the layouts that a state dict has, each with its name for the report.

    Args:
        tensors: by name; only their shapes are read.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    return {pairs: name for match in recognise(shapes, NAMES.layouts()) for pairs, name in _key_maps(match)}


def _key_maps(match: Match) -> Iterator[tuple[KeyMap, str]]:
    unwrapping = ((f"^{re.escape(match.wrapper)}", ""),) if match.wrapper else ()
    if match.layout.key_map:
        yield (*unwrapping, *NAMES.pairs(match.layout.key_map)), match.layout.key_map
    elif match.layout.holds == "entries" or match.is_ours or not match.head:
        if unwrapping:
            yield unwrapping, f"{match.wrapper}*"
    else:
        for last in _LAST_LAYERS:
            front = () if match.head == last else ((rf"^{re.escape(match.head)}\.", f"{last}."),)
            pairs = (*unwrapping, *front, (rf"^(?!{re.escape(last)}\.)", "backbone."))
            yield pairs, f"{match.layout.project}'s names"

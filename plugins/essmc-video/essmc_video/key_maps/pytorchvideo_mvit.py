"""Key maps of pytorchvideo's MViT, for whole classifiers, both ways.

Newer versions of it keep every pool and its norm twice in a state dict, under a short and a long name; published files
have the short names. `TO_OURS` leaves out the long ones; `once` also takes what has these alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

from essmc_video.key_maps.pytorchvideo_blocks import KeyMap, whole

T = TypeVar("T")

_FRONTS = (
    ("patch_embed.patch_model", "backbone.patch_embed.conv"),
    ("norm_embed", "backbone.norm"),
    ("head.proj", "head.out"),
)
_TABLES = (
    ("cls_token", "class_token"),
    ("pos_embed_spatial", "spatial"),
    ("pos_embed_temporal", "temporal"),
    ("pos_embed_class", "class_position"),
    ("pos_embed", "joint"),
)

LONG_TO_SHORT: KeyMap = ((r"\.attn\._attention_pool_([qkv])\.(pool|norm)\.", r".attn.\2_\1."),)
# What stands under a short name as well is left out.
_SECOND_NAMES = (r"^.*\.attn\._attention_pool_[qkv]\..*$", "")
SHORT_TO_LONG: KeyMap = ((r"\.attn\.(pool|norm)_([qkv])\.", r".attn._attention_pool_\2.\1."),)

TO_OURS: KeyMap = (
    _SECOND_NAMES,
    # Our own names begin with "blocks" too once their front is gone, so the tables come first.
    *((rf"^cls_positional_encoding\.{theirs}$", f"backbone.positions.{ours}") for theirs, ours in _TABLES),
    *(whole(theirs, ours) for theirs, ours in _FRONTS),
    (r"\.attn\.(pool|norm)_([qkv])\.", r".attn.pool_\2.\1."),
    (r"^blocks\.", "backbone.blocks."),
)
TO_THEIRS: KeyMap = (
    *((rf"^backbone\.positions\.{ours}$", f"cls_positional_encoding.{theirs}") for theirs, ours in _TABLES),
    *(whole(ours, theirs) for theirs, ours in _FRONTS),
    (r"\.attn\.pool_([qkv])\.(pool|norm)\.", r".attn.\2_\1."),
    (r"^backbone\.blocks\.", "blocks."),
)
# The image form classifies with a head for images.
IMAGES_TO_OURS: KeyMap = (*TO_OURS, (r"^head\.out\.", "head.fc."))
IMAGES_TO_THEIRS: KeyMap = ((r"^head\.fc\.", "head.out."), *TO_THEIRS)


def once(state_dict: Mapping[str, T]) -> dict[str, T]:
    """Returns a state dict of theirs with short names only, whichever of the two names its tensors have."""
    (pattern, short), *_ = LONG_TO_SHORT
    kept = {key: value for key, value in state_dict.items() if not re.search(pattern, key)}
    for key, value in state_dict.items():
        kept.setdefault(re.sub(pattern, short, key), value)
    return kept

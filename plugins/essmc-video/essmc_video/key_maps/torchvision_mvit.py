"""torchvision's ``mvit_v1_b`` as a classifier with the backbone `MViT`, and back.

Names alone do not do: torchvision has one layer for queries, keys and values, where pytorchvideo has three, and no
leading dimension on class token and positions.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from essmc_core.weights.state_dict import map_keys

KeyMap = tuple[tuple[str, str], ...]

_TABLES = (
    ("class_token", "class_token"),
    ("spatial_pos", "spatial"),
    ("temporal_pos", "temporal"),
    ("class_pos", "class_position"),
)

TO_OURS: KeyMap = (
    *((rf"^pos_encoding\.{theirs}$", f"backbone.positions.{ours}") for theirs, ours in _TABLES),
    (r"^conv_proj\.", "backbone.patch_embed.conv."),
    (r"^norm\.", "backbone.norm."),
    (r"^head\.1\.", "head.out."),
    (r"\.attn\.project\.0\.", ".attn.proj."),
    (r"\.norm_act\.0\.", ".norm."),
    (r"\.project\.", ".proj."),
    (r"\.mlp\.0\.", ".mlp.fc1."),
    (r"\.mlp\.3\.", ".mlp.fc2."),
    (r"^blocks\.", "backbone.blocks."),
)
TO_THEIRS: KeyMap = (
    *((rf"^backbone\.positions\.{ours}$", f"pos_encoding.{theirs}") for theirs, ours in _TABLES),
    (r"^backbone\.patch_embed\.conv\.", "conv_proj."),
    (r"^backbone\.norm\.", "norm."),
    (r"^head\.out\.", "head.1."),
    (r"\.attn\.proj\.", ".attn.project.0."),
    (r"(\.pool_[qkv])\.norm\.", r"\1.norm_act.0."),
    (r"^(backbone\.blocks\.\d+)\.proj\.", r"\1.project."),
    (r"\.mlp\.fc1\.", ".mlp.0."),
    (r"\.mlp\.fc2\.", ".mlp.3."),
    (r"^backbone\.blocks\.", "blocks."),
)
_POSITIONS, _FUSED = "backbone.positions.", ".attn.qkv."


def from_torchvision(state_dict: Mapping[str, Tensor], separate_qkv: bool = True) -> dict[str, Tensor]:
    """Returns torchvision's weights as our classifier loads them.

    Args:
        state_dict: of torchvision's ``mvit_v1_b``.
        separate_qkv: as the backbone was built.
    """
    ours: dict[str, Tensor] = {}
    for key, value in map_keys(state_dict, TO_OURS).items():
        if key.startswith(_POSITIONS):
            ours[key] = value.reshape(1, -1, value.shape[-1])
        elif separate_qkv and _FUSED in key:
            for name, part in zip("qkv", value.chunk(3), strict=True):
                ours[key.replace(_FUSED, f".attn.{name}.")] = part
        else:
            ours[key] = value
    return ours


def to_torchvision(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns our classifier's weights as torchvision's ``mvit_v1_b`` loads them."""
    fused: dict[str, Tensor] = {}
    for key, value in state_dict.items():
        front, _, end = key.rpartition(".attn.q.")
        if front:
            parts = [state_dict[f"{front}.attn.{name}.{end}"] for name in "qkv"]
            fused[f"{front}{_FUSED}{end}"] = torch.cat(parts)
        elif ".attn.k." not in key and ".attn.v." not in key:
            fused[key] = value
    flat = {key: _flat(key, value) for key, value in fused.items()}
    return map_keys(flat, TO_THEIRS)


def _flat(key: str, value: Tensor) -> Tensor:
    if not key.startswith(_POSITIONS):
        return value
    return value.flatten() if "class" in key else value.squeeze(0)

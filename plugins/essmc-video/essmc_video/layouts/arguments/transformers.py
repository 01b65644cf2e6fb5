"""Arguments of the video transformers, from the names and shapes of their tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from essmc_core.weights.layouts.layout import Shapes

Config = dict[str, Any]

# A table of positions only tells the product of steps of time and patches; most networks have one of these.
_FEWEST_STEPS = 4
_USUAL_GRID = (14, 7, 16)
_MOST_GRIDS = 3
# Networks that average over time do not tell the number of their frames.
_ANY_STEPS = 8
_USUAL_HEAD = 64
_DEFAULT_HEADS = 12
_PATCH = 16


def transformers(shapes: Shapes) -> Iterator[Config]:
    """Yields the configurations that may have these names and shapes, the likeliest first."""
    stem, positions = shapes.get("stem.conv1.weight", ()), shapes.get("pos_embd", ())
    if len(stem) != 5 or len(positions) != 3 or stem[3] != stem[4]:
        return
    width, channels, tubelet, patch = stem[:4]
    shared = {"num_features": width, "depth": _layers(shapes, "layers"), "patch_size": patch}
    shared |= {"num_input_channels": channels, "tubelet_size": tubelet}
    shared = {key: value for key, value in shared.items() if value != _DEFAULTS[key] or key == "tubelet_size"}
    branch = _branch(shapes, width)
    for name, needed in _networks(shapes):
        arguments: Config = {
            key: value for key, value in shared.items() if (key, value) != ("tubelet_size", _tubelet_of(name))
        }
        arguments |= {"stem_name": "TubeletEmbeddingStem"} if _tubelet_of(name) == 1 and tubelet > 1 else {}
        arguments |= {"branch_cfg": branch} if branch else {}
        if needed == "factorized":
            depth_temp = _layers(shapes, "layers_temporal")
            arguments |= {"depth_temp": depth_temp} if depth_temp != _DEPTH_TEMP else {}
        for frames, side in _grids(shapes, needed == "factorized"):
            yield {"type": name, "num_frames": frames * tubelet, "image_size": side * patch, **arguments}


_DEPTH_TEMP = 4
_DEFAULTS: Mapping[str, int] = {
    "num_features": 768, "depth": 12, "patch_size": _PATCH, "num_input_channels": 3, "tubelet_size": 2,
}  # fmt: skip


def _tubelet_of(name: str) -> int:
    return 1 if name.startswith("Timesformer") else 2


def _networks(shapes: Shapes) -> list[tuple[str, str]]:
    """Returns the networks whose names of tensors these are, those that are built for the tubelet first."""
    one_frame = shapes["stem.conv1.weight"][2] == 1
    if "layers_temporal.0.norm.weight" in shapes:
        return [("ViVit_Fac_Enc", "factorized")]
    if "layers.0.attn_temporal.to_qkv.weight" in shapes:
        return [("Timesformer", "joint")] if "cls_token" in shapes else [("ViVit_Fac_Attn", "joint")]
    if "cls_token" not in shapes:
        return [("ViVit_Fac_Dot", "joint"), ("ViVit_Fac_Attn", "joint")]
    return [("Timesformer_Joint", "joint"), ("Timesformer_Space", "factorized")] if one_frame else [("ViVit", "joint")]


def _layers(shapes: Shapes, name: str) -> int:
    return len({key.split(".")[1] for key in shapes if key.startswith(f"{name}.")})


def _branch(shapes: Shapes, width: int) -> Config:
    hidden = shapes.get("layers.0.ffn.net.0.weight", (0,))[0]
    found: Config = {}
    if width % _DEFAULT_HEADS or width // _DEFAULT_HEADS not in (_USUAL_HEAD, 32, 96, 128):
        found["num_heads"] = width // _USUAL_HEAD if width % _USUAL_HEAD == 0 else _divisor(width)
    if hidden and hidden % width == 0 and hidden // width != 4:
        found["mlp_mult"] = hidden // width
    return found


def _divisor(width: int) -> int:
    return next(heads for heads in (4, 3, 2, 1) if width % heads == 0)


def _grids(shapes: Shapes, is_factorized: bool) -> list[tuple[int, int]]:
    """Returns the (steps of time, patches along a side) that the tables of positions allow."""
    tokens = shapes["pos_embd"][1] - ("cls_token" in shapes)
    if is_factorized:
        steps = shapes["temp_embd"][1] - 1 if "temp_embd" in shapes else _ANY_STEPS
        side = round(tokens**0.5)
        return [(steps, side)] if side * side == tokens else []
    found = [(tokens // (side * side), side) for side in range(int(tokens**0.5), 0, -1) if tokens % (side * side) == 0]
    return sorted(found, key=_unusual)[:_MOST_GRIDS]


def _unusual(grid: tuple[int, int]) -> tuple[bool, bool, int]:
    steps, side = grid
    return steps < _FEWEST_STEPS, side not in _USUAL_GRID, -side

"""State dicts of Hugging Face's transformers, in the forms of its versions 4 and 5: VideoMAE, TimeSformer, ViViT, CLIP.

Each form is written down as names with their shapes in letters: D width, F width of the feed forward, C channels,
T frames and P pixels of a patch, N positions, M frames, L classes, J width of a projection; ``#`` is a layer's number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from essmc_core.weights.layouts.layout import Shapes

_NORMS = "layernorm_before.weight D, layernorm_before.bias D, layernorm_after.weight D, layernorm_after.bias D, "
_DENSE = (
    "attention.output.dense.weight D D, attention.output.dense.bias D, intermediate.dense.weight F D, "
    "intermediate.dense.bias F, output.dense.weight D F, output.dense.bias D, "
)
_WEIGHTS = (
    "attention.attention.query.weight D D, attention.attention.key.weight D D, attention.attention.value.weight D D, "
)
_NEW_VIVIT = "".join(f"attention.{x}_proj.weight D D, attention.{x}_proj.bias D, " for x in "qkvo") + (
    "mlp.fc1.weight F D, mlp.fc1.bias F, mlp.fc2.weight D F, mlp.fc2.bias D, "
)
_CLASSIFIER = "classifier.weight L D, classifier.bias L, "
_PATCHES = "embeddings.patch_embeddings.projection"
_TUBELETS = f"{_PATCHES}.weight D C T P P, {_PATCHES}.bias D, "
_LAYERNORM = "layernorm.weight D, layernorm.bias D, "

_Form = tuple[str, str, str, str, str]
# Front of the trunk's names, front of a layer's, what a layer has, what else the trunk has, and what stands beside it.
_VIDEOMAE: tuple[_Form, ...] = tuple(
    ("videomae.", "encoder.layer.#.", _WEIGHTS + biases + _DENSE + _NORMS, _TUBELETS + last, beside + _CLASSIFIER)
    for biases in (
        "attention.attention.query.bias D, attention.attention.value.bias D, ",
        "attention.attention.q_bias D, attention.attention.v_bias D, ",
        "",
    )
    for last, beside in (("", "fc_norm.weight D, fc_norm.bias D, "), (_LAYERNORM, ""))
)
_TABLES = "embeddings.cls_token 1 1 D, embeddings.position_embeddings 1 N D, "
_BIASES = "".join(f"attention.attention.{x}.bias D, " for x in ("query", "key", "value"))
_VIVIT: tuple[_Form, ...] = (
    ("vivit.", "layers.#.", _NEW_VIVIT + _NORMS, _TABLES + _TUBELETS + _LAYERNORM, _CLASSIFIER),
    ("vivit.", "encoder.layer.#.", _WEIGHTS + _BIASES + _DENSE + _NORMS, _TABLES + _TUBELETS + _LAYERNORM, _CLASSIFIER),
)
_IMAGES = f"{_PATCHES}.weight D C P P, {_PATCHES}.bias D, "
_QKV = "attention.attention.qkv.weight 3D D, attention.attention.qkv.bias 3D, "
_IN_TIME = (
    "temporal_layernorm.weight D, temporal_layernorm.bias D, temporal_dense.weight D D, temporal_dense.bias D, "
    "temporal_attention.attention.qkv.weight 3D D, temporal_attention.attention.qkv.bias 3D, "
    "temporal_attention.output.dense.weight D D, temporal_attention.output.dense.bias D, "
)
_TIME = "embeddings.time_embeddings 1 M D, "
_TIMESFORMER: tuple[_Form, ...] = tuple(
    (
        "timesformer.",
        "encoder.layer.#.",
        _QKV + _DENSE + _NORMS + inside,
        _TABLES + time + _IMAGES + _LAYERNORM,
        _CLASSIFIER,
    )
    for inside, time in ((_IN_TIME, _TIME), ("", _TIME), ("", ""))
)
_CLIP: tuple[_Form, ...] = tuple(
    (
        "vision_model.",
        "encoder.layers.#.",
        "".join(f"self_attn.{x}_proj.weight D D, self_attn.{x}_proj.bias D, " for x in ("q", "k", "v", "out"))
        + "layer_norm1.weight D, layer_norm1.bias D, layer_norm2.weight D, layer_norm2.bias D, "
        + "mlp.fc1.weight F D, mlp.fc1.bias F, mlp.fc2.weight D F, mlp.fc2.bias D, ",
        "embeddings.class_embedding D, embeddings.patch_embedding.weight D C P P, "
        "embeddings.position_embedding.weight N D, "
        "pre_layrnorm.weight D, pre_layrnorm.bias D, post_layernorm.weight D, post_layernorm.bias D, ",
        beside,
    )
    for beside in ("visual_projection.weight J D, ", "")
)
_FORMS: Mapping[str, tuple[_Form, ...]] = {
    "VideoMAE": _VIDEOMAE, "ViViT": _VIVIT, "TimeSformer": _TIMESFORMER, "CLIP's vision tower": _CLIP,
}  # fmt: skip
_CALLED = {
    "D": "hidden_size", "F": "intermediate_size", "C": "num_channels", "T": "tubelet_size", "P": "patch_size",
    "M": "num_frames", "L": "num_labels", "J": "projection_dim",
}  # fmt: skip
_LAYER = re.compile(r"\.(\d+)\.")


def networks(shapes: Shapes) -> Iterator[tuple[str, dict[str, int]]]:
    """Yields each architecture, with its arguments, of which a state dict has every name and shape, and no other."""
    named = {key: shape for key, shape in shapes.items() if key.rpartition(".")[2] != "position_ids"}
    for architecture, forms in _FORMS.items():
        for form in forms:
            for with_beside in (True, False):
                found = _fitted(named, form, with_beside)
                if found is not None:
                    yield architecture, found
                    return


def _fitted(shapes: Shapes, form: _Form, with_beside: bool) -> dict[str, int] | None:
    """Returns the arguments by which a form has exactly these names and shapes, None if it has not."""
    trunk, layer, in_layer, outside, beside = form
    front = trunk if any(key.startswith(trunk) for key in shapes) else ""
    numbers = {found.group(1) for key in shapes if key.startswith(front + layer.partition("#")[0])
               and (found := _LAYER.search(key))}  # fmt: skip
    wanted = {front + key: letters for key, letters in _parsed(outside)}
    wanted |= {key: letters for key, letters in _parsed(beside) if with_beside}
    for number in map(str, range(len(numbers))):
        wanted |= {front + layer.replace("#", number) + key: letters for key, letters in _parsed(in_layer)}
    if not numbers or wanted.keys() != shapes.keys():
        return None
    values: dict[str, int] = {}
    for key, letters in wanted.items():
        if len(letters) != len(shapes[key]) or not all(map(_agrees, letters, shapes[key], [values] * len(letters))):
            return None
    return {"num_hidden_layers": len(numbers), **_arguments(values)}


def _agrees(letter: str, size: int, values: dict[str, int]) -> bool:
    if letter == "1":
        return size == 1
    if letter == "3D":
        return size == 3 * values.setdefault("D", size // 3)
    return values.setdefault(letter, size) == size


def _arguments(values: Mapping[str, int]) -> dict[str, int]:
    found = {name: values[letter] for letter, name in _CALLED.items() if letter in values}
    if "N" in values:
        found["positions"] = values["N"]
        side = round((values["N"] - 1) ** 0.5)
        if "T" not in values and side * side == values["N"] - 1:
            found["image_size"] = side * values["P"]
    return found


def _parsed(text: str) -> list[tuple[str, list[str]]]:
    entries = (entry.split() for entry in text.split(",") if entry.strip())
    return [(words[0], words[1:]) for words in entries]

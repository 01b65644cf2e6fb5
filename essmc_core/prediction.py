"""From a file to class names: a model's own preprocessing, one forward pass, the best classes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from essmc_core.errors import ConfigError
from essmc_core.factory import build_recipe, weights_source
from essmc_core.inputs import InputSpec, load_clip, load_image
from essmc_core.module import TrainModule
from essmc_core.recipe import Overrides, Source, read_recipe


@dataclass(frozen=True, slots=True)
class Ranked:
    """One class and its probability.

    Attributes:
        label: name of the class; its index as text where the model has no names.
        probability: activated output, in [0, 1] after a softmax or sigmoid.
        index: position in the output.
        output: which output, for models with several; empty otherwise.
    """

    label: str
    probability: float
    index: int
    output: str = ""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of one file.

    Attributes:
        model: name of the model.
        file: what was looked at.
        predictions: the most probable classes, best first; for several outputs, one after the other.
        input_shape: shape of the tensor that went in, batch included.
        weights: URI of the weights, None for random ones.
    """

    model: str
    file: str
    predictions: Sequence[Ranked]
    input_shape: tuple[int, ...] = ()
    weights: str | None = None
    card: Mapping[str, object] = field(default_factory=dict, repr=False)

    def to_dict(self) -> dict[str, object]:
        """Returns the prediction as JSON can hold it, the card left out."""
        return {
            "model": self.model,
            "file": self.file,
            "weights": self.weights,
            "input_shape": list(self.input_shape),
            "predictions": [
                {"label": r.label, "probability": r.probability, "index": r.index, "output": r.output}
                for r in self.predictions
            ],
        }


def predict(
    model: Source,
    path: str | os.PathLike[str],
    *,
    topk: int = 5,
    checkpoint: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    random: bool = False,
    device: str = "cpu",
    overrides: Overrides = (),
    **knobs: Any,
) -> Prediction:
    """Classifies one image or one clip with a zoo model.

    Args:
        model: zoo name, YAML file or mapping with ``model`` and ``input``.
        path: an image or a video, as the model's input asks for.
        topk: how many classes to return; all of them where there are fewer.
        checkpoint: weights to use instead of the entry's.
        random: use random weights; for trying shapes and speed.
        device: where to run, e.g. ``cuda``.
        overrides: changes of the configuration by path.
        **knobs: changes by the names the entry declares.

    Raises:
        InputError: the file is missing or not what the model takes.
        WeightsNotFound: the entry names no weights, and neither ``checkpoint`` nor ``random`` was given.
        ConfigError: the configuration does not say what goes in.
    """
    if topk < 1:
        raise ConfigError(f"topk is {topk}; give at least 1")
    recipe = read_recipe(model, overrides, knobs)
    if not recipe.section("input"):
        raise ConfigError(f"{recipe.name} has no `input` section, so a file cannot be prepared for it",
                          where=recipe.config.where())  # fmt: skip
    spec = InputSpec.from_mapping(recipe.section("input"))
    source = None if random and checkpoint is None else weights_source(recipe, True, checkpoint)
    # The file is read before the model is built: a wrong path is answered at once.
    inputs = load_image(path, spec) if spec.modality == "image" else load_clip(path, spec)
    built = build_recipe(recipe, source).eval().to(device)
    with torch.inference_mode():
        outputs = built(inputs.to(device))
    labels = recipe.entry.labels() if recipe.entry is not None else _labels(recipe.config.get("labels"))
    return Prediction(
        model=recipe.name,
        file=os.fspath(path),
        predictions=rank(outputs, labels, topk),
        input_shape=tuple(inputs.shape),
        weights=None if source is None else str(source.get("uri", source.get("path"))),
        card=built.card or {},
    )


def rank(outputs: Tensor | Mapping[str, Tensor], labels: Sequence[str], topk: int) -> list[Ranked]:
    """Returns the most probable classes of a batch of one.

    Args:
        outputs: probabilities (1, K), or several such tensors by key.
        labels: names of the classes; used where their number is K.
        topk: how many to return of each output.
    """
    named = outputs if isinstance(outputs, Mapping) else {"": outputs}
    ranked: list[Ranked] = []
    for key, tensor in named.items():
        probabilities = tensor[0].float().cpu()
        known = labels if len(labels) == len(probabilities) else [str(i) for i in range(len(probabilities))]
        values, indices = probabilities.topk(min(topk, len(probabilities)))
        ranked.extend(
            Ranked(known[index], value, index, key)
            for value, index in zip(values.tolist(), indices.tolist(), strict=True)
        )
    return ranked


def _labels(value: object) -> list[str]:
    return [str(label) for label in value] if isinstance(value, (list, tuple)) else []


__all__ = ["Prediction", "Ranked", "TrainModule", "predict", "rank"]

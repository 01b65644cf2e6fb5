"""Predictions of a model for an image or a video: classes with their probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Ranked:
    """One class and its probability.

    Attributes:
        label: name of the class; its index as text if the model has no names.
        probability: activated output, in [0, 1] after a softmax or sigmoid.
        index: position in the output.
        output: which output, for models with several; empty otherwise.
    """

    label: str
    probability: float
    index: int
    output: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """The prediction for one segment of a video.

    Attributes:
        start: where it begins, in seconds.
        end: where it ends.
        predictions: the most probable classes, best first.
    """

    start: float
    end: float
    predictions: Sequence[Ranked]


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction for one input.

    Attributes:
        model: name of the model.
        file: path of the input; for arrays and images in memory, their size.
        predictions: the most probable classes, best first; for several outputs, one after the other. Probabilities
            are means over views, and over segments if there are any.
        input_shape: shape of the input tensor, one item for each view.
        weights: URI of the weights, None for random ones.
        segments: segments of the video in order, if they were requested.
        error: why there are no predictions, if one of several inputs could not be read.
    """

    model: str
    file: str
    predictions: Sequence[Ranked]
    input_shape: tuple[int, ...] = ()
    weights: str | None = None
    card: Mapping[str, object] = field(default_factory=dict, repr=False)
    segments: Sequence[Segment] = ()
    error: str = ""

    def to_dict(self) -> dict[str, object]:
        """Returns the prediction as plain values for JSON, without the card."""
        if self.error:
            return {"model": self.model, "file": self.file, "error": self.error}
        shown: dict[str, object] = {
            "model": self.model,
            "file": self.file,
            "weights": self.weights,
            "input_shape": list(self.input_shape),
            "predictions": _as_dicts(self.predictions),
        }
        if self.segments:
            shown["segments"] = [
                {"start": part.start, "end": part.end, "predictions": _as_dicts(part.predictions)}
                for part in self.segments
            ]
        return shown


def _as_dicts(ranked: Sequence[Ranked]) -> list[dict[str, object]]:
    return [{"label": r.label, "probability": r.probability, "index": r.index, "output": r.output} for r in ranked]


def rank(outputs: Tensor | Mapping[str, Tensor], labels: Sequence[str], topk: int) -> list[Ranked]:
    """Returns the most probable classes of a batch of one.

    Args:
        outputs: probabilities (1, K), or several such tensors by key.
        labels: names of the classes; used if their number is K.
        topk: how many to return of each output.
    """
    ranked: list[Ranked] = []
    for key, tensor in by_output(outputs).items():
        probabilities = tensor[0].float().cpu()
        known = labels if len(labels) == len(probabilities) else [str(i) for i in range(len(probabilities))]
        values, indices = probabilities.topk(min(topk, len(probabilities)))
        ranked.extend(
            Ranked(known[index], value, index, key)
            for value, index in zip(values.tolist(), indices.tolist(), strict=True)
        )
    return ranked


def by_output(outputs: Tensor | Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Returns a model's outputs by key; a lone one has the key ``""``."""
    return outputs if isinstance(outputs, Mapping) else {"": outputs}

"""What a model says of a picture or a clip: classes with their probabilities."""

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
class Segment:
    """What a model says of one part of a video.

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
    """What a model says of one file.

    Attributes:
        model: name of the model.
        file: what was looked at; of what is in memory, its size.
        predictions: the most probable classes, best first; for several outputs, one after the other. Probabilities
            are means over views, and over segments where there are any.
        input_shape: shape of the tensor that went in, one item for each view.
        weights: URI of the weights, None for random ones.
        segments: parts of the video in their order, if they were asked for.
        error: why there are no predictions, where one of several inputs could not be read.
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
        """Returns the prediction as JSON can hold it, the card left out."""
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
        labels: names of the classes; used where their number is K.
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

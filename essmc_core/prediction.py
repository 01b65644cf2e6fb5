"""From a file to class names: a model's own preprocessing, its views averaged, the best classes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from essmc_core.devices import find_device
from essmc_core.errors import ConfigError, InputError, NonFiniteOutput
from essmc_core.factory import build_trained, weights_source
from essmc_core.inputs import InputSpec, Views, load_image, load_segments, load_views
from essmc_core.labels import checked_labels, configured_counts
from essmc_core.module import TrainModule
from essmc_core.recipe import Overrides, Source, read_recipe

# Views that run together; more would need the memory of a large batch.
_VIEWS_AT_ONCE = 8


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
        file: what was looked at.
        predictions: the most probable classes, best first; for several outputs, one after the other. Probabilities
            are means over views, and over segments where there are any.
        input_shape: shape of the tensor that went in, one item for each view.
        weights: URI of the weights, None for random ones.
        segments: parts of the video in their order, if they were asked for.
    """

    model: str
    file: str
    predictions: Sequence[Ranked]
    input_shape: tuple[int, ...] = ()
    weights: str | None = None
    card: Mapping[str, object] = field(default_factory=dict, repr=False)
    segments: Sequence[Segment] = ()

    def to_dict(self) -> dict[str, object]:
        """Returns the prediction as JSON can hold it, the card left out."""
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


def predict(
    model: Source,
    path: str | os.PathLike[str],
    *,
    topk: int = 5,
    checkpoint: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    random: bool = False,
    device: str = "cpu",
    views: tuple[int, int] | None = None,
    segments: float | None = None,
    overrides: Overrides = (),
    **knobs: Any,
) -> Prediction:
    """Classifies one image or one video with a zoo model.

    Args:
        model: zoo name, YAML file or mapping with ``model`` and ``input``.
        path: an image or a video, as the model's input asks for; ``pkg://distribution/path`` is one of an installed
            package.
        topk: how many classes to return; all of them where there are fewer.
        checkpoint: weights to use instead of the entry's.
        random: use random weights; for trying shapes and speed.
        device: where to run: ``cpu``, ``cuda``, ``cuda:1``, ``mps``, or ``auto`` for what the machine has.
        views: (temporal, spatial) views of a video whose probabilities are averaged; by default those of the entry's
            ``input.views``, and one view for segments and for random weights.
        segments: seconds; the video is cut into segments of that length, each classified by itself. Within a segment
            frames are chosen as within a video.
        overrides: changes of the configuration by path.
        **knobs: changes by the names the entry declares.

    Raises:
        InputError: the file is missing or not what the model takes.
        WeightsNotFound: the entry names no weights, and neither ``checkpoint`` nor ``random`` was given.
        WeightsMismatch: the head does not fit the weights, so that its classes would be random.
        ConfigError: the configuration does not say what goes in, its labels are not those of the head, or this machine
            has no such device.
    """
    if topk < 1:
        raise ConfigError(f"topk is {topk}; give at least 1")
    recipe = read_recipe(model, overrides, knobs)
    if not recipe.section("input"):
        raise ConfigError(f"{recipe.name} has no `input` section, so a file cannot be prepared for it",
                          where=recipe.config.where())  # fmt: skip
    spec = InputSpec.from_mapping(recipe.section("input"))
    source = None if random and checkpoint is None else weights_source(recipe, True, checkpoint)
    how = _views(spec, views, segments, single=source is None)
    place = find_device(device)
    checked_labels(recipe.config, configured_counts(recipe.config))
    file = _local(path)
    # The file is read before the model is built: a wrong path is answered at once.
    parts = _parts(file, spec, how, segments)
    first = next(parts)
    built = build_trained(recipe, source).eval().to(place)
    every = itertools.chain([first], parts)
    found = [(start, end, _average(built, inputs.to(place))) for start, end, inputs in every]
    whole = {key: torch.cat([outputs[key] for _, _, outputs in found]).mean(0, keepdim=True) for key in found[0][2]}
    labels = checked_labels(recipe.config, [outputs.shape[1] for outputs in whole.values()])
    return Prediction(
        model=recipe.name,
        file=os.fspath(path),
        predictions=rank(whole, labels, topk),
        input_shape=tuple(first[2].shape),
        weights=None if source is None else str(source.get("uri", source.get("path"))),
        card=built.card or {},
        segments=[]
        if segments is None
        else [Segment(start, end, rank(outputs, labels, topk)) for start, end, outputs in found],
    )


def _views(spec: InputSpec, given: tuple[int, int] | None, segments: float | None, *, single: bool) -> Views:
    """Returns how many views to average over.

    Raises:
        InputError: views or segments of a model that takes images.
        ConfigError: a number that is not positive.
    """
    if spec.modality == "image":
        if segments is not None or given not in (None, (1, 1)):
            raise InputError("Only videos have segments and several views.", hint=f"The model takes {spec}.")
        return Views()
    if segments is not None and not 0 < segments < float("inf"):
        raise ConfigError(f"Segments of {segments} seconds are impossible.", hint="Give a number above 0.")
    if given is not None:
        if min(given) < 1:
            raise ConfigError(f"{given[0]}x{given[1]} views are too few.", hint="Give 1x1 or more.")
        return Views(*given)
    return Views() if segments is not None or single else Views(**(spec.views or {}))


def _local(path: str | os.PathLike[str]) -> str | os.PathLike[str]:
    if isinstance(path, str) and path.startswith("pkg://"):
        from essmc_core.weights.package_files import find_package_file

        return find_package_file(path)
    return path


def _parts(
    path: str | os.PathLike[str], spec: InputSpec, views: Views, segments: float | None
) -> Iterator[tuple[float, float, Tensor]]:
    """Yields start, end and views: of the whole file, or of its segments."""
    if segments is not None:
        yield from load_segments(path, spec, segments, views)
    else:
        yield 0.0, 0.0, load_image(path, spec) if spec.modality == "image" else load_views(path, spec, views)


def _average(model: TrainModule, inputs: Tensor) -> dict[str, Tensor]:
    """Returns the mean probabilities (1, K) over a batch of views, by output."""
    with torch.inference_mode():
        chunks = [_finite(_by_output(model(chunk))) for chunk in torch.split(inputs, _VIEWS_AT_ONCE)]
    return {key: torch.cat([chunk[key] for chunk in chunks]).mean(0, keepdim=True) for key in chunks[0]}


def _finite(outputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Returns outputs as they are.

    Raises:
        NonFiniteOutput: they are no probabilities, so that no class is the most probable one.
    """
    for key, tensor in outputs.items():
        if not bool(torch.isfinite(tensor).all()):
            what = f"The model's output {key!r}" if key else "The model's output"
            raise NonFiniteOutput(
                f"{what} is NaN or infinite, so it names no class.",
                hint="Do the weights belong to this model, and is the input what it takes? Half precision overflows.",
            )
    return outputs


def _by_output(outputs: Tensor | Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    return outputs if isinstance(outputs, Mapping) else {"": outputs}


def rank(outputs: Tensor | Mapping[str, Tensor], labels: Sequence[str], topk: int) -> list[Ranked]:
    """Returns the most probable classes of a batch of one.

    Args:
        outputs: probabilities (1, K), or several such tensors by key.
        labels: names of the classes; used where their number is K.
        topk: how many to return of each output.
    """
    ranked: list[Ranked] = []
    for key, tensor in _by_output(outputs).items():
        probabilities = tensor[0].float().cpu()
        known = labels if len(labels) == len(probabilities) else [str(i) for i in range(len(probabilities))]
        values, indices = probabilities.topk(min(topk, len(probabilities)))
        ranked.extend(
            Ranked(known[index], value, index, key)
            for value, index in zip(values.tolist(), indices.tolist(), strict=True)
        )
    return ranked


__all__ = ["Prediction", "Ranked", "Segment", "TrainModule", "predict", "rank"]

"""Classifiers around a backbone whose head has the names and shapes of a file's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from essmc_core.errors import EssmcError
from essmc_core.weights.layouts.layout import Derived, Shapes

# The kinds of head that classify a vector, by the names of their layers, with the classifier that they are part of.
_HEADS: tuple[tuple[Mapping[str, Any], str, tuple[str, ...]], ...] = (
    ({"type": "Classifier"}, "ClassifierHead", ("fc",)),
    ({"type": "VideoClassifier"}, "VideoClassifierHead", ("out",)),
    ({"type": "VideoClassifier"}, "TransformerHead", ("linear",)),
    ({"type": "VideoClassifier"}, "VideoClassifierHeadx2", ("linear1", "linear2")),
    ({"type": "MoSINet"}, "MoSIHead", ("out_joint",)),
    ({"type": "MoSINet", "label_mode": "separate"}, "MoSIHead", ("out_x", "out_y")),
)


@dataclass(frozen=True, slots=True)
class Around:
    """A classifier around a backbone.

    Attributes:
        model: its configuration.
        classes: its numbers of classes; empty without a head.
        head: names and shapes of its head.
    """

    model: Mapping[str, Any]
    classes: tuple[int, ...]
    head: Shapes


def classifier_around(layout: Derived, backbone: Mapping[str, Any], features: int, rank: int, shapes: Shapes) -> Around:
    """Returns the classifier whose head has the most of these names and shapes.

    Args:
        layout: whose heads are tried before those that every pack knows.
        backbone: configuration of the backbone.
        features: width of its features.
        rank: how many dimensions they have besides batch and channels.
        shapes: of the file's head, by name; no tensors are asked for a backbone alone.
    """
    found = [*_of_layout(layout, shapes), *_of_vectors(shapes, rank)] if shapes else []
    for model, head in found:
        built = _shapes_of_head(json.dumps({**head, "dim": features}, sort_keys=True))
        if built is not None and built.keys() == shapes.keys():
            return Around({**model, "backbone": dict(backbone), "head": dict(head)}, _classes(head), built)
    return Around({"type": "VideoClassifier", "backbone": dict(backbone)}, (), {})


def _of_layout(layout: Derived, shapes: Shapes) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    heads: Iterable[Mapping[str, Any]] = layout.heads(shapes) if layout.heads else ()
    for head in heads:
        yield {"type": "VideoClassifier"}, head


def _of_vectors(shapes: Shapes, rank: int) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    layers = {key.rpartition(".")[0] for key in shapes}
    pooling = {"neck": "GlobalAveragePooling"} if rank else {}
    for model, kind, named in _HEADS:
        if layers == set(named):
            classes = [shapes[f"{layer}.weight"][0] for layer in named if shapes.get(f"{layer}.weight")]
            if len(classes) == len(named):
                yield {**model, **pooling}, {"type": kind, "num_classes": classes if classes[1:] else classes[0]}


def _classes(head: Mapping[str, Any]) -> tuple[int, ...]:
    stated = head["num_classes"]
    return tuple(stated) if isinstance(stated, (tuple, list)) else (stated,)


@lru_cache(maxsize=32)
def _shapes_of_head(config: str) -> dict[str, tuple[int, ...]] | None:
    import torch

    from essmc_core.models.defaults import REGISTRIES

    try:
        with torch.device("meta"):
            made = REGISTRIES["heads"].build(json.loads(config))
    except (EssmcError, RuntimeError, ValueError, TypeError):
        # A pack that has no such head may be installed without the one that has.
        return None
    return {key: tuple(value.shape) for key, value in made.state_dict().items()}

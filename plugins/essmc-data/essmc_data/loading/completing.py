"""Pipelines that a configuration leaves out, made from what its `input` says the model takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from essmc_core.errors import ConfigError
from essmc_core.inputs import InputSpec
from essmc_data.transforms.compose import Compose
from essmc_data.transforms.from_input import FromInput

_NAMES = {"image": "pictures", "video": "videos"}


def complete_pipelines(dataset: Any, given: Mapping[str, Any]) -> None:
    """Gives a `FromInput` to each data set of files whose pipeline was left out, and `input` to those that lack it.

    Data sets that make their items themselves are left as they are.

    Args:
        dataset: a data set, or one made of several.
        given: the section ``input`` of the configuration, empty where there is none.

    Raises:
        ConfigError: there is no ``input`` and it is needed, it cannot be used, or it is not for what the data set has.
    """
    for leaf in leaves(dataset):
        modalities = getattr(leaf, "modalities", ())
        if modalities and getattr(leaf, "needs_pipeline", False):
            _check_input(leaf, modalities, given)
            leaf.pipeline = FromInput()
        for transform in _transforms(getattr(leaf, "pipeline", None)):
            if isinstance(transform, FromInput):
                spec = InputSpec.from_mapping(given) if given and transform.spec is None else None
                transform.complete(spec, tuple(getattr(leaf, "classes", ())))


def leaves(dataset: Any) -> list[Any]:
    """Returns the data sets that one is made of; itself where it is made of none."""
    inner = getattr(dataset, "datasets", None) or ([dataset.dataset] if hasattr(dataset, "dataset") else [])
    return [leaf for part in inner for leaf in leaves(part)] or [dataset]


def _check_input(leaf: Any, modalities: tuple[str, ...], given: Mapping[str, Any]) -> None:
    name = type(leaf).__name__
    if not given:
        raise ConfigError(
            f"{name} has no `pipeline`, and the configuration no `input` to make one from.",
            hint="Say in `input` what the model takes: modality, size, mean, std, and frames and stride of a video.",
        )
    spec = InputSpec.from_mapping(given)
    if spec.modality not in modalities:
        has = " and ".join(_NAMES[modality] for modality in modalities)
        raise ConfigError(
            f"{name} has {has}, and by its `input` the model takes {spec}.",
            hint="Choose another data set, or write the pipeline that leads from one to the other.",
        )


def _transforms(pipeline: Any) -> Iterator[Any]:
    if isinstance(pipeline, Compose):
        for transform in pipeline.transforms:
            yield from _transforms(transform)
    elif pipeline is not None:
        yield pipeline

"""Checks that data sets of files have a pipeline: their own, or one derived from the section `input`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from essmc_core.errors import ConfigError, Issue
from essmc_core.inputs.spec import InputSpec
from essmc_core.signatures.static import class_attribute

if TYPE_CHECKING:
    from essmc_core.building.part import Part

_NAMES = {"image": "pictures", "video": "videos"}


def pipeline_issues(parts: Iterable[Part], given: Mapping[str, Any]) -> Iterator[Issue]:
    """Yields a mistake for each data set of files without a pipeline and without an `input` to derive one from.

    The class of a data set states the kind of its files by ``modalities``; classes without it are skipped.

    Args:
        parts: the components that a configuration names.
        given: what the model takes.
    """
    for part in parts:
        component = part.component
        modalities = class_attribute(component.target, "modalities") if component.kind == "datasets" else ()
        if not modalities or part.arguments.get("pipeline") is not None:
            continue
        if problem := _problem(component.name, modalities, given):
            yield Issue(part.dotted, problem, part.where, "write its `pipeline`, or the `input`")


def _problem(name: str, modalities: Sequence[str], given: Mapping[str, Any]) -> str:
    if not given:
        return f"{name} has no `pipeline`, and the configuration no `input` to make one from"
    try:
        spec = InputSpec.from_mapping(given)
    except ConfigError:
        # The mistake in `input` is reported where it is written.
        return ""
    if spec.modality in modalities:
        return ""
    has = " and ".join(_NAMES.get(modality, modality) for modality in modalities)
    return f"{name} has {has} and no `pipeline`, and by its `input` the model takes {spec}"

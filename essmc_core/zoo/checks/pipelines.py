"""Whether data sets of files can be given what the model takes: by a pipeline of their own, or one made of `input`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from essmc_core.errors import ConfigError, Issue
from essmc_core.inputs.spec import InputSpec
from essmc_core.signatures.static import class_attribute

if TYPE_CHECKING:
    from essmc_core.config import Config
    from essmc_core.registry.component import Component

_NAMES = {"image": "pictures", "video": "videos"}


def pipeline_issues(
    config: Config, found: Sequence[tuple[str, Component]], given: Mapping[str, Any]
) -> Iterator[Issue]:
    """Yields a mistake for each data set that has files, no pipeline, and no `input` to make one from.

    What files a data set has, its class says by ``modalities``; those of which the source does not tell are passed
    over.

    Args:
        config: the configuration.
        found: the components that its data name, with their paths.
        given: what the model takes.
    """
    for path, component in found:
        modalities = class_attribute(component.target, "modalities") if component.kind == "datasets" else ()
        keys = tuple(int(part) if part.isdecimal() else part for part in path.split("."))
        written = _at(config, keys)
        if not modalities or written is None or (isinstance(written, Mapping) and written.get("pipeline") is not None):
            continue
        if problem := _problem(component.name, modalities, given):
            yield Issue(path, problem, config.where(*keys), "write its `pipeline`, or the `input`")


def _problem(name: str, modalities: Sequence[str], given: Mapping[str, Any]) -> str:
    if not given:
        return f"{name} has no `pipeline`, and the configuration no `input` to make one from"
    try:
        spec = InputSpec.from_mapping(given)
    except ConfigError:
        # `input` has been refused where it is written.
        return ""
    if spec.modality in modalities:
        return ""
    has = " and ".join(_NAMES.get(modality, modality) for modality in modalities)
    return f"{name} has {has} and no `pipeline`, and by its `input` the model takes {spec}"


def _at(config: Any, path: Sequence[str | int]) -> Any:
    for part in path:
        if isinstance(config, Mapping):
            config = config.get(part)
        elif isinstance(config, (list, tuple)) and isinstance(part, int) and part < len(config):
            config = config[part]
        else:
            return None
    return config

"""Finds arguments to build a component with for a check: those that it requires, and small sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from torch import nn

from essmc_core import REGISTRIES
from essmc_core.registry.component import Component
from essmc_core.registry.reading import live_signature
from essmc_core.signatures.signature import Parameter
from essmc_core.signatures.types import derived_attribute, evaluate, nested_kind, options
from essmc_devkit.components.tiny_parts import TinyBackbone, TinyHead

CLASSES = 5
_SIDES = ("img_size", "image_size", "input_size", "spatial_size", "crop_size")
_FRAMES = ("num_frames", "num_input_frames", "temporal_size", "clip_size")
_USUAL: Mapping[str, Any] = {
    "num_classes": CLASSES,
    "in_chans": 3,
    "dim": 8,
    "topk": (1,),
    "size": 32,
    "crop_size": 32,
    "depth": 18,
    "num_frames": 4,
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
    "keys": ("img",),
}
"""What arguments of these names usually take."""


def required_arguments(component: Component, layout: str = "NCHW") -> tuple[dict[str, Any], list[str]]:
    """Returns a value for each required argument, and the names of those for which none is known.

    Args:
        component: what is to be built.
        layout: of the backbones that it is given.
    """
    found: dict[str, Any] = {}
    unknown = []
    for parameter in live_signature(component).parameters:
        # A head may be optional by its signature and needed all the same.
        if not parameter.required and not (component.kind == "models" and parameter.name == "head"):
            continue
        value = _value(parameter, layout)
        if value is None:
            unknown.append(parameter.name)
        else:
            found[parameter.name] = value
    return found, unknown


def smaller_variants(component: Component) -> Iterator[Mapping[str, Any]]:
    """Yields optional arguments that make inputs small where a component takes them, last of all none."""
    names = [parameter.name for parameter in live_signature(component).parameters]
    sides = {name: 64 for name in _SIDES if name in names}
    frames = {name: 4 for name in _FRAMES if name in names}
    seen: list[Mapping[str, Any]] = []
    for variant in ({**sides, **frames}, sides, frames, {}):
        if variant not in seen:
            seen.append(variant)
            yield variant


def _value(parameter: Parameter, layout: str) -> Any:
    annotated = evaluate(parameter.annotation, REGISTRIES)
    members = options(annotated)
    kind = next((kind for kind in map(nested_kind, members) if kind), None)
    if kind == "backbones":
        return TinyBackbone(layout)
    if kind == "necks":
        return nn.Identity()
    if kind == "heads":
        return TinyHead(CLASSES)
    if any(derived_attribute(member) for member in members):
        return _USUAL["dim"]
    if parameter.name == "num_classes" and not any(_is_number(member) for member in members):
        return [CLASSES, CLASSES]
    return _USUAL.get(parameter.name)


def _is_number(annotated: Any) -> bool:
    return annotated in (int, Any) or (get_origin(annotated) is not None and int in get_args(annotated)[:1])

"""Compares a data set's written pipeline with the section `input`, without building it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from essmc_core.errors import ConfigError
from essmc_core.inputs.spec import InputSpec

_CROPS = frozenset({"CenterCrop", "RandomCrop", "CenterCropVideo"})
_SCALED_CROPS = frozenset({"RandomResizedCrop", "RandomResizedCropVideo", "AutoResizedCropVideo"})
_SCALINGS = frozenset({"Resize", "ResizeVideo"})
_NORMALISATIONS = frozenset({"Normalize", "NormalizeVideo", "AugMix"})
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_LAYOUTS = {"VideoToTensor": "NCTHW", "ImageToTensor": "NCHW", "AugMix": "NCHW"}
_LOADING = frozenset({"LoadImageFromFile", "LoadPILImageFromFile", "LoadCvImageFromFile"})
_NEUTRAL = frozenset(
    {"RandomHorizontalFlip", "RandomHorizontalFlipVideo", "ColorJitterVideo", "ToTensor", "Select", "TensorToGPU",
     "Identity"}
)  # fmt: skip
_SAME_SECONDS = 0.01
"""Relative difference in length up to which clips count as equally long."""
_SHOWN = (
    "modality", "size", "mean", "std", "layout", "frames", "stride", "fps", "seconds", "sampling", "interpolation",
    "crop_pct",
)  # fmt: skip


def pipeline_notes(data: Any, given: Mapping[str, Any]) -> list[str]:
    """Returns one line for each way in which a written pipeline differs from ``input``.

    Differences that only the code of a transform would show, such as those of other packs, are not reported.

    Args:
        data: the section ``data`` of a configuration: ``train`` and ``eval``, each with a ``dataset``.
        given: its section ``input``; if that is empty or invalid, nothing is compared.
    """
    try:
        spec = InputSpec.from_mapping(given)
    except ConfigError:
        return []
    notes = []
    for part in ("train", "eval"):
        section = data.get(part) if isinstance(data, Mapping) else None
        if isinstance(section, Mapping):
            for path, pipeline, mode in _pipelines(section.get("dataset"), f"data.{part}.dataset", part):
                said = _differences(pipeline, spec, training=mode == "train")
                notes += [f"{path}: {line}" for line in said]
    return notes


def stated_input(*configs: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the section ``input`` of configurations, the later ones merged over the earlier ones."""
    sections = (config.get("input") for config in configs)
    return {key: value for section in sections if isinstance(section, Mapping) for key, value in section.items()}


def _pipelines(dataset: Any, path: str, mode: str) -> Iterator[tuple[str, Any, str]]:
    """Yields the written pipelines of a data set and of the data sets nested in it, each with its path and mode."""
    if isinstance(dataset, (list, tuple)):
        for number, one in enumerate(dataset):
            yield from _pipelines(one, f"{path}.{number}", mode)
    elif isinstance(dataset, Mapping):
        own = str(dataset.get("mode") or mode)
        if dataset.get("pipeline"):
            yield f"{path}.pipeline", dataset["pipeline"], own
        inner = dataset if "type" not in dataset else {k: dataset[k] for k in ("dataset", "datasets") if k in dataset}
        for name, one in inner.items():
            yield from _pipelines(one, f"{path}.{name}", own)


@dataclass
class _Found:
    """What a pipeline does, as far as it is known; None for what is not stated."""

    size: tuple[int, int] | None = None
    shorter: int | None = None
    crop_pct: float | None = None
    interpolation: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    layout: str | None = None
    frames: int | None = None
    sampling: str | None = None
    seconds: float | None = None
    all_known: bool = True
    own: InputSpec | None = None


def _differences(pipeline: Any, spec: InputSpec, *, training: bool) -> list[str]:
    found = _Found()
    for transform in _flat(pipeline):
        _read(transform, found)
    if found.own is not None:
        return [
            _says(name, getattr(found.own, name), getattr(spec, name))
            for name in _SHOWN
            if getattr(found.own, name) != getattr(spec, name)
        ]
    lines = [
        _says(name, getattr(found, name), getattr(spec, name))
        for name in ("size", "mean", "std", "interpolation", "layout", "frames", "sampling")
        if getattr(found, name) is not None and not _same(getattr(found, name), getattr(spec, name))
    ]
    if found.mean is None and found.all_known and found.layout is not None:
        lines.append(f"values are not normalised, and `input` says mean {_text(spec.mean)}, std {_text(spec.std)}")
    return lines + _time_differences(found, spec) + ([] if training else _cover_differences(found, spec))


def _flat(pipeline: Any) -> Iterator[Any]:
    for transform in pipeline if isinstance(pipeline, (list, tuple)) else [pipeline]:
        inner = transform.get("transforms") if isinstance(transform, Mapping) else None
        if inner is None:
            yield transform
        else:
            yield from _flat(inner)


def _read(transform: Any, found: _Found) -> None:
    named = {"type": transform} if isinstance(transform, str) else transform
    if not isinstance(named, Mapping) or not isinstance(named.get("type"), str):
        found.all_known = False
        return
    name = named["type"].rpartition("/")[2]
    if name == "FromInput":
        _read_own(named, found)
    elif name in ("LoadVideoFromFile", "LoadFramesFromFolder", "DecodeVideoToTensor"):
        _read_loading(name, named, found)
    elif name in _CROPS | _SCALED_CROPS:
        found.size = _pair(named.get("size"))
        if name in _SCALED_CROPS:
            found.interpolation, found.shorter = _interpolation(named), None
        if name == "AutoResizedCropVideo":
            found.crop_pct = _last_number(named.get("scale", (0.08, 1.0)))
    elif name in _SCALINGS:
        sides: Any = named.get("size")
        lone = sides[0] if isinstance(sides, Sequence) and len(sides) == 1 else sides
        found.shorter, found.interpolation = (lone if isinstance(lone, int) else None), _interpolation(named)
        found.size = None if found.shorter is not None else _pair(sides)
    elif name not in _NORMALISATIONS | _LAYOUTS.keys() | _LOADING | _NEUTRAL:
        found.all_known = False
    if name in _NORMALISATIONS:
        found.mean, found.std = _numbers(named.get("mean", _MEAN)), _numbers(named.get("std", _STD))
    found.layout = _LAYOUTS.get(name, found.layout)


def _read_own(named: Mapping[str, Any], found: _Found) -> None:
    try:
        found.own = InputSpec.from_mapping(named["input"]) if named.get("input") else None
    except ConfigError:
        found.own = None
    # Without `input` it takes the configuration's.
    found.all_known = False


def _read_loading(name: str, named: Mapping[str, Any], found: _Found) -> None:
    frames = named.get("num_frames")
    found.frames = frames if isinstance(frames, int) else None
    decoding = name == "DecodeVideoToTensor"
    kind = named.get("sample_mode" if decoding else "sample_type", "interval")
    found.sampling = {"segment": "segment", "interval": "stride"}.get(kind)
    if kind != "interval" or found.frames is None:
        return
    if not decoding:
        found.seconds = _number(named.get("clip_duration"))
        return
    interval, rate = _number(named.get("sample_interval", 4)), _number(named.get("target_fps", 30))
    found.seconds = found.frames * interval / rate if interval and rate else None


def _time_differences(found: _Found, spec: InputSpec) -> list[str]:
    if found.seconds is None or spec.sampling != "stride" or spec.frames is None:
        return []
    if spec.seconds_between is None:
        # Equal only for files of this frame rate.
        rate = spec.frames * (spec.stride or 1) / found.seconds
        return [
            f"a clip lasts {found.seconds:.3g} s, and `input` says a stride of {spec.stride} frames of the file, which "
            f"is as long at {rate:.4g} frames per second alone (`input.fps` states a rate)"
        ]
    lasting = spec.frames * spec.seconds_between
    if math.isclose(found.seconds, lasting, rel_tol=_SAME_SECONDS):
        return []
    return [f"a clip lasts {found.seconds:.3g} s, and `input` says {lasting:.3g} s"]


def _cover_differences(found: _Found, spec: InputSpec) -> list[str]:
    """Compares which share of an image the crop covers."""
    if found.crop_pct is None and found.shorter is None:
        return []
    height, width = found.size or spec.size
    if found.shorter is None:
        pct = found.crop_pct or 1.0
        same = math.isclose(pct, spec.crop_pct, rel_tol=_SAME_SECONDS)
        return [] if same else [f"the crop is {pct:.3g} of the shorter side, and `input` says {spec.crop_pct:.3g}"]
    covered = math.floor(min(spec.size) / spec.crop_pct)
    if (height, width) != spec.size or abs(found.shorter - covered) <= 1:
        return []
    return [f"the shorter side is scaled to {found.shorter}, and `input` (crop_pct {spec.crop_pct:.4g}) says {covered}"]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        if len(one) == 1:
            one = one * len(other)
        return len(one) == len(other) and all(math.isclose(a, b, abs_tol=1e-4) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def _says(name: str, own: Any, stated: Any) -> str:
    return f"{name} {_text(own)}, and `input` says {_text(stated)}"


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        shown = [f"{number:.4g}" if isinstance(number, float) else str(number) for number in value]
        return f"[{', '.join(shown)}]"
    return "nothing" if value is None else str(value)


def _pair(value: Any) -> tuple[int, int] | None:
    if isinstance(value, int):
        return value, value
    if isinstance(value, Sequence) and len(value) == 2 and all(isinstance(side, int) for side in value):
        return int(value[0]), int(value[1])
    return None


def _interpolation(named: Mapping[str, Any]) -> str:
    return str(named.get("interpolation") or named.get("interpolation_mode") or "bilinear")


def _numbers(value: Any) -> tuple[float, ...] | None:
    if isinstance(value, Sequence) and all(_number(number) is not None for number in value):
        return tuple(map(float, value))
    return None


def _last_number(value: Any) -> float | None:
    numbers = _numbers(value)
    return numbers[-1] if numbers else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

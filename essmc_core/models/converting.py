"""Weights of one layout written by the names of another: names change, values do not."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from essmc_core.errors import ConfigError, WeightsMismatch
from essmc_core.foundation.names import did_you_mean
from essmc_core.models.derivation import derive
from essmc_core.weights.described_file import NotWritten, replacing_weights
from essmc_core.weights.key_maps import NAMES
from essmc_core.weights.layouts.layout import AnyLayout, Derived, Foreign, Layout, Shapes
from essmc_core.weights.layouts.recognise import Match, recognise
from essmc_core.weights.state_dict import map_keys, renamer, strip_wrappers

if TYPE_CHECKING:
    from torch import Tensor

Pairs = tuple[tuple[str, str], ...]
OURS = "essmc"
SUFFIXES = (".safetensors", ".pth", ".pt", ".pyth")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Conversion:
    """What `convert` did.

    Attributes:
        path: the file that was written.
        read_as: whose names the other file has.
        written_as: whose names this one has.
        tensors: how many there are.
    """

    path: Path
    read_as: str
    written_as: str
    tensors: int


@dataclass(frozen=True, slots=True)
class _Reading:
    """Whose names a file has, and the pairs that lead from them to ours."""

    project: str
    pairs: Pairs
    again: Pairs = ()


def convert(
    source: str | os.PathLike[str], target: str | os.PathLike[str], *, to: str, ema: bool | None = None
) -> Conversion:
    """Writes weights by the names of another project; types and values stay as they are, bit by bit.

    The file's own layout is recognised by names and shapes. What is written is read back by the other layout's
    key map, name by name, and recognised as one of its networks, before a file is there.

    Args:
        source: a path or URI of weights.
        target: a file that ends in ``.safetensors``, ``.pth``, ``.pt`` or ``.pyth``; one that is there is replaced in
            one step.
        to: the project: ``essmc``, whose names EssentialMC2 and TAdaConv have, or one that a layout is of.
        ema: which weights are taken, as for `essmc_core.weights.load_pretrained`.

    Raises:
        ConfigError: no layout of that name can be written, or the target has another suffix.
        WeightsMismatch: the file is of no network that is known, or the other layout cannot hold a tensor of it.
        NotWritten: there is no such folder, or the disk is full.
    """
    from essmc_core.weights.readings import open_checkpoint
    from essmc_core.weights.source import WeightsSource
    from essmc_core.weights.state_dict import unwrap

    path = _checked(target)
    layouts = NAMES.layouts()
    targets = _targets(to, layouts)
    tensors = strip_wrappers(unwrap(open_checkpoint(WeightsSource(os.fspath(source))), ema=ema))
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    reading = _reading(os.fspath(source), shapes, layouts)
    once = map_keys(tensors, reading.pairs)
    written = _written(once, targets, to, [layout for layout in layouts if _is_ours(layout)])
    _write(path, written)
    return Conversion(path, reading.project, to, len(written))


def _checked(target: str | os.PathLike[str]) -> Path:
    path = Path(target).expanduser()
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"{path} ends in none of {', '.join(SUFFIXES)}, the formats that are written")
    if not path.parent.is_dir():
        raise NotWritten(f"There is no directory {path.parent}.", hint=f"mkdir -p {path.parent}")
    return path


def names_of_targets(layouts: Iterable[AnyLayout]) -> list[str]:
    """Returns the projects by whose names weights can be written."""
    return sorted({OURS, *(layout.project for layout in layouts if _can_be_written(layout))})


def _can_be_written(layout: AnyLayout) -> bool:
    return _holds_backbones(layout) or (isinstance(layout, Derived) and bool(layout.back))


def _holds_backbones(layout: AnyLayout) -> bool:
    return isinstance(layout, Layout) and layout.holds == "backbones"


def _targets(to: str, layouts: Sequence[AnyLayout]) -> list[Layout | Derived] | None:
    """Returns the layouts of a project that can be written, None for our own names."""
    if to.lower() == OURS:
        return None
    found = [layout for layout in layouts if layout.project.lower() == to.lower() and _can_be_written(layout)]
    if not found:
        names = names_of_targets(layouts)
        hint = did_you_mean(to, names) or f"There are {', '.join(names)}."
        raise ConfigError(f"no weights can be written by the names of {to!r}", hint=hint)
    return [layout for layout in found if not isinstance(layout, Foreign)]


def _reading(source: str, shapes: Shapes, layouts: Sequence[AnyLayout]) -> _Reading:
    found = [_reading_of_match(match, shapes) for match in recognise(shapes, layouts)]
    if not found:
        found = [
            _Reading(fit.layout.project, _unwrapping(fit.wrapper) + _pairs(fit.layout.key_map), fit.layout.again)
            for fit in derive(shapes, layouts) if fit.is_exact
        ]  # fmt: skip
    readings = {reading.pairs: reading for reading in found}
    if not readings:
        raise WeightsMismatch(
            f"{source} has the names and shapes of no network that is known",
            hint=f"`essmc inspect {source}` says what comes nearest",
        )
    # Where libraries share their names, such as those of ResNets, any of them reads the same.
    return next(iter(readings.values()))


def _reading_of_match(match: Match, shapes: Shapes) -> _Reading:
    front = _unwrapping(match.wrapper)
    layout = match.layout
    if layout.key_map or not _holds_backbones(layout) or match.is_ours:
        project = OURS if match.is_ours else layout.project
        return _Reading(project, front + _pairs(layout.key_map), layout.again)
    if not match.head:
        return _Reading(layout.project, front)
    # Ours classify clips by a layer of another name than images.
    last = "head.out" if any(len(shape) == 5 for shape in shapes.values()) else "head.fc"
    renamed = ((rf"^{re.escape(match.head)}\.", f"{last}."), (rf"^(?!{re.escape(last)}\.)", "backbone."))
    return _Reading(layout.project, front + renamed)


def _unwrapping(wrapper: str) -> Pairs:
    return ((f"^{re.escape(wrapper)}", ""),) if wrapper else ()


def _pairs(key_map: str) -> Pairs:
    return NAMES.pairs(key_map) if key_map else ()


def _is_ours(layout: AnyLayout) -> bool:
    return isinstance(layout, Derived) and not layout.key_map


def _written(
    ours: Mapping[str, Tensor], targets: list[Layout | Derived] | None, to: str, of_ours: Sequence[AnyLayout]
) -> dict[str, Tensor]:
    """Returns the tensors by the names of the first layout that holds all of them."""
    if targets is None:
        return dict(ours)
    shapes = {name: tuple(tensor.shape) for name, tensor in ours.items()}
    # Names do not tell which of a project's networks this is: one that pools between stages numbers them otherwise.
    types = {fit.backbone["type"] for layout in of_ours for fit in derive(shapes, [layout]) if fit.is_exact}
    lost: list[list[str]] = []
    for layout in targets:
        named = _names(shapes, layout)
        lost.append([key for key, name in named.items() if not name])
        theirs = {named[key]: shape for key, shape in shapes.items()}
        if not lost[-1] and len(theirs) == len(shapes) and _is_of(theirs, layout, types):
            return {named[key]: tensor for key, tensor in ours.items()}
    if not all(lost):
        raise WeightsMismatch(f"{to} has no network with these names and shapes that is known")
    fewest = min(lost, key=len)
    more = f" and {len(fewest) - _SHOWN} more" if len(fewest) > _SHOWN else ""
    raise WeightsMismatch(
        f"{to} has no name for {', '.join(fewest[:_SHOWN])}{more}",
        hint="that project's networks have no such layer, or have it in another form",
    )


def _names(shapes: Shapes, layout: Layout | Derived) -> dict[str, str]:
    """Returns a layout's name for each of ours; an empty one where its key map does not lead back."""
    if isinstance(layout, Layout):
        return _names_in_library(shapes, layout)
    there, back = renamer(_pairs(layout.back)), renamer(_pairs(layout.key_map))
    named = {key: there(key) for key in shapes}
    return {key: name if name and name != key and back(name) == key else "" for key, name in named.items()}


def _names_in_library(shapes: Shapes, layout: Layout) -> dict[str, str]:
    """Returns the names without our classifier's: those of the backbone itself, and of its last layer."""
    matches = recognise(shapes, [layout])
    if not matches:
        return dict.fromkeys(shapes, "")
    match = matches[0]
    if not match.is_ours:
        return {key: key for key in shapes}
    last = (r"^head\.(?:fc|out)\.", f"{match.head}.")
    rename = renamer((last, (r"^backbone\.", "")))
    return {key: rename(key) for key in shapes}


def _is_of(shapes: Shapes, layout: Layout | Derived, types: set[str]) -> bool:
    """Returns whether names and shapes are exactly those of one of a layout's networks, of one of these types."""
    if isinstance(layout, Layout):
        return any(match.tensors == len(shapes) for match in recognise(shapes, [layout]))
    return any(fit.is_exact and fit.backbone["type"] in types for fit in derive(shapes, [layout]))


def _write(path: Path, tensors: Mapping[str, Tensor]) -> None:
    with replacing_weights(path) as temporary:
        if path.suffix == ".safetensors":
            from safetensors.torch import save_file

            save_file(dict(_apart(tensors)), temporary, metadata={"format": "pt"})
        else:
            import torch

            torch.save({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary)


def _apart(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yields tensors that share no memory, which the format does not know."""
    seen: set[int] = set()
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        yield name, tensor.clone().contiguous() if place in seen or not tensor.is_contiguous() else tensor
        seen.add(place)

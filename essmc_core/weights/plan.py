"""Plans which tensor of the weights is loaded into which tensor of a module, before anything is changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from essmc_core.weights.adapt import DEFAULT_RULES, Rule, fit
from essmc_core.weights.adapt_options import AdaptOptions
from essmc_core.weights.coverage import coverage, is_counter, is_derived, unused, usage
from essmc_core.weights.finite import is_finite
from essmc_core.weights.lifted import Lifted
from essmc_core.weights.positions import picture_tables, position_grids, position_resampling
from essmc_core.weights.report import LoadReport
from essmc_core.weights.source import WeightsSource
from essmc_core.weights.state_dict import strip_key, top_level_names

DEFAULT_HEAD_PREFIXES = ("head",)


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """A planned load.

    Attributes:
        tensors: the module's key -> tensor that fits it.
        filled: the keys that have their values from the weights afterwards, directly or through a tied tensor.
        misfits: key -> reason, for tensors that do not fit, unless they are those of a head for other classes.
        report: the outcome if the plan is executed.
        inflatable: whether the weights have only 2D kernels and the module only 3D ones.
        overflown: keys of tensors that were finite before their dtype was converted.
        top_level: the first parts of the weights' keys, for messages.
    """

    tensors: Mapping[str, Tensor]
    filled: frozenset[str]
    misfits: Mapping[str, str]
    report: LoadReport
    inflatable: bool = False
    overflown: frozenset[str] = frozenset()
    top_level: tuple[str, ...] = ()


def plan_load(
    module: nn.Module,
    weights: Mapping[str, Tensor],
    source: WeightsSource,
    *,
    allow_head_mismatch: bool = True,
    rules: Sequence[Rule] = DEFAULT_RULES,
) -> LoadPlan:
    """Matches weights with a module's tensors.

    Args:
        module: is only read. Wrappers (DDP, torch.compile) around it do not matter.
        weights: tensors under the module's names.
        source: what is allowed, and the origin for the report.
        allow_head_mismatch: whether a tensor of the head that does not fit may be dropped.
        rules: the ways to adapt a tensor.
    """
    expected = {key: value for key, value in module.state_dict(keep_vars=True).items() if isinstance(value, Tensor)}
    lifted = Lifted.of(module)
    names = _match_names(expected, weights, lifted)
    options = AdaptOptions(
        source.inflate,
        _first_convolution(expected) if source.in_chans else None,
        position_grids(module),
        source.position_grid,
        source.positions,
        _are_of_images(names, expected, weights),
        picture_tables(module),
        position_resampling(module),
    )
    heads = (source.head_prefixes or DEFAULT_HEAD_PREFIXES) if allow_head_mismatch else ()
    tensors: dict[str, Tensor] = {}
    adapted: dict[str, str] = {}
    skipped: dict[str, str] = {}
    for key, name in names.items():
        inflate = source.inflate or lifted.inflate(key)
        outcome = fit(key, weights[name], expected[key], replace(options, inflate=inflate), rules)
        if isinstance(outcome, str):
            skipped[key] = outcome
            continue
        tensors[key] = outcome[0]
        if outcome[1]:
            adapted[key] = "; ".join(outcome[1])
    replaced = {
        key for key in skipped if _below(key, heads) and _is_for_other_classes(weights[names[key]], expected[key])
    }
    rest = _rest_of_head(replaced, tensors, expected, heads)
    replaced |= rest.keys()
    skipped |= rest
    ties = _tied_groups(expected)
    filled = set(tensors) | {key for group in ties for key in group if not tensors.keys().isdisjoint(group)}
    droppable = replaced | {key for key in skipped if is_counter(key)}
    skipped |= _contradicting(ties, tensors)
    # Weights with some of the new layers are those of a lifted network, and lack the others.
    new = lifted.new if lifted.new.isdisjoint(names) else frozenset[str]()
    placed = set(names.values())
    left_over = {name: tensor for name, tensor in weights.items() if name not in placed}
    missing = tuple(key for key in expected if key not in filled and key not in skipped and key not in new)
    lacking = tuple(key for key in missing if not is_derived(key, expected[key]))
    without_place = _without_twins(left_over, weights, placed)
    # What else belongs to a head goes with it.
    surplus = tuple(name for name in unused(without_place) if not (replaced and _below(name, heads)))
    report = LoadReport(
        source=source.uri,
        loaded=tuple(tensors),
        adapted=adapted,
        skipped=skipped,
        missing=missing,
        new=tuple(key for key in expected if key in new),
        unexpected=tuple(left_over),
        lacking=lacking,
        unused=surplus,
        random=(*(key for key in skipped if not is_counter(key)), *lacking),
        coverage=coverage(expected, filled, droppable | new),
        usage=usage((weights[names[key]] for key in tensors), (weights[name] for name in surplus)),
        sha256=source.digest,
    )
    misfits = {key: reason for key, reason in skipped.items() if key not in droppable}
    kernels = {tensor.dim() for tensor in expected.values()} & {4, 5, 6}
    inflatable = bool(kernels) and 4 not in kernels and any(tensor.dim() == 4 for tensor in weights.values())
    overflown = frozenset(
        key
        for key, tensor in tensors.items()
        if tensor.dtype != weights[names[key]].dtype and not is_finite(tensor) and is_finite(weights[names[key]])
    )
    tops = tuple(top_level_names(weights))
    return LoadPlan(tensors, frozenset(filled), misfits, report, inflatable, overflown, tops)


def is_of_head(key: str, source: WeightsSource) -> bool:
    """Returns whether a tensor of the module belongs to the head, as a source defines it."""
    return _below(key, source.head_prefixes or DEFAULT_HEAD_PREFIXES)


def tied_groups(module: nn.Module) -> list[list[str]]:
    """Returns the groups of state-dict keys that are one tensor in the module."""
    state = module.state_dict(keep_vars=True)
    return _tied_groups({key: value for key, value in state.items() if isinstance(value, Tensor)})


def _tied_groups(tensors: Mapping[str, Tensor]) -> list[list[str]]:
    groups: dict[int, list[str]] = {}
    for key, tensor in tensors.items():
        groups.setdefault(id(tensor), []).append(key)
    return [group for group in groups.values() if len(group) > 1]


def _contradicting(ties: Sequence[Sequence[str]], given: Mapping[str, Tensor]) -> dict[str, str]:
    """Returns the keys for which the weights give one tensor of the module two values."""
    found: dict[str, str] = {}
    for group in ties:
        first, *others = [key for key in group if key in given] or [""]
        for key in others:
            same = _place_in_memory(given[key]) == _place_in_memory(given[first]) is not None
            if not same and not torch.equal(given[key], given[first]):
                found[key] = f"is the same tensor as {first} in the module, and has other values in the weights"
    return found


def _without_twins(
    left_over: Mapping[str, Tensor], weights: Mapping[str, Tensor], placed: Collection[str]
) -> dict[str, Tensor]:
    """Removes second keys of tensors that are used: a module that is registered twice is saved under both names."""
    used = {_place_in_memory(weights[name]) for name in placed} - {None}
    return {name: tensor for name, tensor in left_over.items() if _place_in_memory(tensor) not in used}


def _place_in_memory(tensor: Tensor) -> tuple[object, ...] | None:
    if tensor.layout is not torch.strided or tensor.is_meta or tensor.numel() == 0:
        return None
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride()


def _match_names(expected: Mapping[str, Tensor], weights: Mapping[str, Tensor], lifted: Lifted) -> dict[str, str]:
    """Maps the module's keys to the weights' keys, with those of wrappers and of lifts of image networks resolved."""
    names: dict[str, str] = {}
    image_fronts = lifted.fronts_of(weights)
    for key in expected:
        candidates = (key, strip_key(key), lifted.image_name(key, image_fronts))
        name = next((name for name in candidates if name in weights), None)
        if name is not None:
            names[key] = name
    return names


def _are_of_images(names: Mapping[str, str], expected: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> bool:
    """Returns whether the weights have 2D kernels where the module has 3D ones."""
    return any(weights[name].dim() == 4 and expected[key].dim() in (5, 6) for key, name in names.items())


def _first_convolution(expected: Mapping[str, Tensor]) -> str | None:
    return next((key for key, tensor in expected.items() if tensor.dim() >= 4), None)


def _is_for_other_classes(given: Tensor, wanted: Tensor) -> bool:
    """Returns whether a tensor of a head differs in the number of classes alone: in its first dimension."""
    shapes = [list(tensor.shape) for tensor in (given, wanted)]
    for shape in shapes:
        # Of a linear layer or of a convolution that stands for one.
        while len(shape) > 1 and shape[-1] == 1:
            shape.pop()
    return bool(shapes[0] and shapes[1]) and shapes[0][0] != shapes[1][0] and shapes[0][1:] == shapes[1][1:]


def _rest_of_head(
    replaced: Collection[str], tensors: dict[str, Tensor], expected: Mapping[str, Tensor], heads: Sequence[str]
) -> dict[str, str]:
    """Drops the bias of a head whose weight is dropped: one without the other would be inconsistent."""
    owners = {key.rpartition(".")[0] for key in replaced}
    dropped: dict[str, str] = {}
    for key in [key for key in tensors if _below(key, heads) and key.rpartition(".")[0] in owners]:
        if expected[key].dim() <= 1:
            del tensors[key]
            dropped[key] = "belongs to a tensor that was dropped"
    return dropped


def _below(key: str, prefixes: Sequence[str]) -> bool:
    return any(strip_key(key) == prefix or strip_key(key).startswith(f"{prefix}.") for prefix in prefixes)

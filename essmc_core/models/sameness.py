"""Compares a model with what its configuration builds: modules, their arguments, tied tensors, computed buffers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from essmc_core.weights.plan import tied_groups
from essmc_core.weights.state_dict import strip_key

_SHOWN = 4


def differences(model: nn.Module, built: nn.Module) -> list[str]:
    """Returns in what a model differs from what its configuration builds, beside the values of its tensors.

    Args:
        model: perhaps with wrappers inside, which do not count.
        built: what the configuration builds.
    """
    own, other = _modules(model), _modules(built)
    found = [f"it has no {name}" for name in other if name not in own]
    found += [f"it has {name} besides, a {type(own[name]).__name__}" for name in own if name not in other]
    for name in own.keys() & other.keys():
        found += _difference(name or "the model", own[name], other[name])
    found += _tensor_differences(_state(model), _state(built))
    apart = {tuple(group) for group in tied_groups(built)} - {tuple(map(strip_key, g)) for g in tied_groups(model)}
    found += [f"{' and '.join(group)} are no longer one tensor" for group in sorted(apart)]
    return found


def changed_buffers(model: nn.Module, built: nn.Module) -> list[str]:
    """Returns the names of buffers that are not stored and that construction gives other values.

    One of another shape is what an earlier call left behind, and is computed anew.
    """
    own, other = unstored_buffers(model), unstored_buffers(built)
    return [
        name
        for name, tensor in own.items()
        if name in other
        and other[name].shape == tensor.shape
        and not _equal(tensor.detach().cpu(), other[name].detach().cpu().to(tensor.dtype))
    ]


def unstored_buffers(module: nn.Module) -> dict[str, Tensor]:
    """Returns the buffers that are not in a module's state dict, by name without wrappers."""
    stored = module.state_dict(keep_vars=True)
    return {strip_key(name): tensor for name, tensor in module.named_buffers() if name not in stored}


def in_words(found: list[str]) -> str:
    """Returns the first of several differences in one phrase."""
    rest = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + rest


def _modules(module: nn.Module) -> dict[str, nn.Module]:
    # A wrapper and what it wraps have one name; the inner one comes later.
    return {strip_key(f"{name}.").rstrip("."): inner for name, inner in module.named_modules(remove_duplicate=False)}


def _difference(name: str, own: nn.Module, other: nn.Module) -> list[str]:
    is_synchronised = isinstance(own, nn.SyncBatchNorm) and isinstance(other, nn.modules.batchnorm._BatchNorm)
    if _kind(own) != _kind(other) and not is_synchronised:
        return [f"{name} is a {type(own).__name__} where the configuration builds a {type(other).__name__}"]
    said, built = own.extra_repr(), other.extra_repr()
    return [] if said == built else [f"{name} is ({said}) where the configuration builds ({built})"]


def _kind(module: nn.Module) -> tuple[str, str]:
    # A class that a notebook defined again is another object with the same name.
    return type(module).__module__, type(module).__qualname__


def _state(module: nn.Module) -> dict[str, object]:
    return {strip_key(name): value for name, value in module.state_dict(keep_vars=True).items()}


def _tensor_differences(own: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    found = [f"it has no {name}" for name in other if name not in own]
    found += [f"it has {name} besides" for name in own if name not in other]
    for name, tensor in own.items():
        built = other.get(name)
        if isinstance(tensor, Tensor) and isinstance(built, Tensor) and tensor.shape != built.shape:
            found.append(f"{name} is {tuple(tensor.shape)} where the configuration builds {tuple(built.shape)}")
    return found


def _equal(one: Tensor, other: Tensor) -> bool:
    if one.is_floating_point():
        return bool(torch.equal(one.nan_to_num(), other.nan_to_num()) and torch.equal(one.isnan(), other.isnan()))
    return bool(torch.equal(one, other))

"""Extracts a flat state dict with the module's keys from a checkpoint: unwrap, strip, map keys, select a level."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from essmc_core.errors import WeightsMismatch
from essmc_core.weights.checkpoint_parts import Part, choose
from essmc_core.weights.source import KeyMap, WeightsSource

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

# Added by wrappers anywhere in a key (torch.compile, activation checkpointing, FSDP); no module uses these names.
_WRAPPER_PARTS = re.compile(r"(?:^|(?<=\.))(?:_orig_mod|_checkpoint_wrapped_module|_fsdp_wrapped_module)\.")
# Added by (Distributed)DataParallel and weight averaging at the beginning of a key.
_LEADING = re.compile(r"\A(?:module\.)+")


def extract_state_dict(checkpoint: Mapping[str, Any], source: WeightsSource) -> dict[str, Tensor]:
    """Returns the tensors that ``source`` selects from a checkpoint, under the keys it maps to.

    The order is: unwrap, strip wrappers, key map, ``sub_level``, ``prefix``.

    Raises:
        WeightsMismatch: no tensors, no such level or kind of weights, or two keys that become equal.
    """
    tensors = unwrap(checkpoint, ema=source.ema)
    tensors = strip_wrappers(tensors)
    tensors = map_keys(tensors, source.key_map)
    if source.sub_level:
        tensors = take_sub_level(tensors, source.sub_level)
    if source.prefix:
        front = source.prefix.rstrip(".") + "."
        tensors = {front + key: tensor for key, tensor in tensors.items()}
    return tensors


def unwrap(checkpoint: Mapping[str, Any], *, ema: bool | None = None) -> dict[str, Tensor]:
    """Finds the state dict inside a training checkpoint.

    Args:
        checkpoint: a state dict, or a mapping that holds one under a name of `essmc_core.weights.checkpoint_parts`.
        ema: True for the averaged weights, False for the plain ones, None for the averaged ones if there are any:
            these were evaluated in training.

    Raises:
        WeightsMismatch: there are no tensors, none of the requested kind, or several networks.
    """
    return {key: value.detach() for key, value in find_state_dict(checkpoint, ema).tensors.items()}


def find_state_dict(checkpoint: Mapping[str, Any], ema: bool | None = None) -> Part:
    """Returns the state dict that `unwrap` takes, with the keys that lead to it; arguments and errors are the same."""
    # Names are mapped without torch, too.
    from torch import Tensor

    return choose(checkpoint, ema, lambda value: isinstance(value, Tensor))


def strip_wrappers(state_dict: Mapping[str, T]) -> dict[str, T]:
    """Removes the parts of keys that DataParallel, DDP, FSDP, torch.compile and weight averaging add; idempotent."""
    return _rename(state_dict, strip_key, "after the prefixes of wrappers are removed")


def strip_key(key: str) -> str:
    """Removes wrappers' parts from one key."""
    return _LEADING.sub("", _WRAPPER_PARTS.sub("", key))


def map_keys(state_dict: Mapping[str, T], key_map: KeyMap) -> dict[str, T]:
    """Applies every (regular expression, replacement) pair in order to each key, with `re.sub`.

    A key that becomes empty is dropped with its tensor.

    Raises:
        WeightsMismatch: two keys become equal.
    """
    rename = renamer(key_map)
    kept = {key: value for key, value in state_dict.items() if not key or rename(key)}
    return _rename(kept, rename, "after the key map")


def renamer(key_map: KeyMap) -> Callable[[str], str]:
    """Returns what applies every pair of a key map in order to a key."""
    compiled = _compiled(tuple((pattern, replacement) for pattern, replacement in key_map))

    def rename(key: str) -> str:
        for pattern, replacement in compiled:
            key = pattern.sub(replacement, key)
        return key

    return rename


@lru_cache(maxsize=64)
def _compiled(key_map: tuple[tuple[str, str], ...]) -> tuple[tuple[re.Pattern[str], str], ...]:
    # A file is tried with the key maps of many layouts, more expressions than `re` keeps.
    return tuple((re.compile(pattern), replacement) for pattern, replacement in key_map)


def take_sub_level(state_dict: Mapping[str, T], sub_level: str) -> dict[str, T]:
    """Returns the tensors below a prefix, with the prefix removed from their keys.

    Raises:
        WeightsMismatch: there are none.
    """
    front = sub_level.rstrip(".") + "."
    kept = {key.removeprefix(front): value for key, value in state_dict.items() if key.startswith(front)}
    if not kept:
        tops = ", ".join(top_level_names(state_dict))
        raise WeightsMismatch(
            f"The weights have nothing below {sub_level!r}.", hint=f"At the top level they have: {tops}."
        )
    return kept


def top_level_names(keys: Iterable[str]) -> list[str]:
    """Returns the distinct first parts of dotted keys, in order."""
    return list(dict.fromkeys(key.partition(".")[0] for key in keys))


def _rename(state_dict: Mapping[str, T], rename: Callable[[str], str], when: str) -> dict[str, T]:
    renamed: dict[str, T] = {}
    origins: dict[str, str] = {}
    for key, value in state_dict.items():
        new = rename(key)
        if new in renamed:
            raise WeightsMismatch(f"Both {origins[new]!r} and {key!r} of the weights become {new!r} {when}.")
        renamed[new], origins[new] = value, key
    return renamed

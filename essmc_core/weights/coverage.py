"""How much of a module, and of the weights, a load would use."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from torch import Tensor, nn

# Batch norm's counters of batches: harmless if absent, and old files lack them.
_COUNTERS = ".num_batches_tracked"
# Buffers computed at construction, which only some versions of a network save, and counters of profilers and averages.
_COMPUTED = frozenset({
    "attn_mask", "relative_position_index", "relative_coords_table", "position_ids", "total_ops", "total_params",
    "n_averaged",
})  # fmt: skip


def is_counter(key: str) -> bool:
    """Returns whether a key is that of a batch norm's counter of batches."""
    return f".{key}".endswith(_COUNTERS)


def is_derived(key: str, tensor: Tensor) -> bool:
    """Returns whether a tensor of a module may be absent from weights, since construction alone determines it.

    That holds for counters of batches, which have no effect at a fixed momentum, and for buffers of integers that
    differ from each other: tables of indices. State that is learned or counted in training is initialised with one
    value throughout, and a parameter is never derived.
    """
    if is_counter(key):
        return True
    if isinstance(tensor, nn.Parameter) or tensor.is_floating_point() or tensor.is_complex() or tensor.is_meta:
        return False
    return tensor.numel() > 1 and bool((tensor != tensor.flatten()[0]).any())


def unused(left_over: Mapping[str, Tensor]) -> list[str]:
    """Returns the left-over keys that may hold something learned.

    Counters of batches, buffers that some versions of a network save and others compute, and tables of indices are
    none: no output depends on their values.

    Args:
        left_over: tensors that match none of the module's, under the module's names.
    """
    return [key for key, tensor in left_over.items() if not _is_computed(key, tensor)]


def _is_computed(key: str, tensor: Tensor) -> bool:
    if is_counter(key) or key.rpartition(".")[2] in _COMPUTED:
        return True
    whole = not (tensor.is_floating_point() or tensor.is_complex() or tensor.is_quantized or tensor.is_meta)
    return whole and tensor.numel() > 1 and bool((tensor != tensor.flatten()[0]).any())


def coverage(expected: Mapping[str, Tensor], loaded: Collection[str], dropped: Collection[str]) -> float:
    """Returns the share of the module's tensors that are loaded, in [0, 1].

    The smaller of two shares: by elements, which a few large tensors dominate, and by tensors, which many small ones
    dominate (batch norm's statistics are less than 1 % of a network's elements, but it is useless without them).

    Args:
        expected: the module's tensors.
        loaded: keys that the weights fill.
        dropped: keys that are not counted.
    """
    counted = {key: tensor for key, tensor in expected.items() if key not in dropped and not is_counter(key)}
    if not counted:
        return 0.0
    filled = [key for key in counted if key in loaded]
    by_tensors = len(filled) / len(counted)
    elements = sum(tensor.numel() for tensor in counted.values())
    by_elements = sum(counted[key].numel() for key in filled) / elements if elements else 1.0
    return min(by_tensors, by_elements)


def usage(used: Iterable[Tensor], unused: Iterable[Tensor]) -> float:
    """Returns the share of the weights' elements that are used, in [0, 1]; what is computed is not counted."""
    placed, excess = sum(tensor.numel() for tensor in used), sum(tensor.numel() for tensor in unused)
    return placed / (placed + excess) if placed + excess else 1.0

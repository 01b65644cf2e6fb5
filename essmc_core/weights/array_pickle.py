"""Reads pickles of NumPy arrays, as Caffe2 wrote weights, and refuses pickles that hold anything else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from essmc_core.errors import UnsafeWeights, WeightsCorrupt
from essmc_core.weights.contents.pickled import Array, DescribingUnpickler, Opaque

_DEEPEST = 4


def read_arrays(path: Path) -> Mapping[str, Any]:
    """Reads a pickle that holds numbers, texts and NumPy arrays, without running anything that it names.

    Args:
        path: a pickle that `torch.save` did not write; texts of Python 2 are read as latin1.

    Returns:
        The mapping in it, with tensors in place of arrays.

    Raises:
        UnsafeWeights: it names code, such as a whole model's class.
        WeightsCorrupt: it is damaged, or holds no mapping.
    """
    with path.open("rb") as stream:
        unpickler = DescribingUnpickler(stream, encoding="latin1")
        try:
            content = unpickler.load()
        except Exception as error:
            # Unpickling arbitrary bytes may raise anything; what it named before tells more than how it ended.
            if unpickler.opaque:
                raise _needs(path, unpickler) from error
            reason = str(error).strip().rstrip(".") or type(error).__name__
            message = f"{path} is a damaged or truncated pickle ({reason})."
            raise WeightsCorrupt(message, hint="Fetch it again.") from error
    if unpickler.opaque:
        raise _needs(path, unpickler)
    if unpickler.storages or not isinstance(content, Mapping):
        reason = "torch.save did not write it" if unpickler.storages else f"it holds a {type(content).__name__}"
        raise unsafe(path, reason)
    return {str(key): _with_tensors(value) for key, value in content.items()}


def unsafe(path: Path, reason: str) -> UnsafeWeights:
    """Returns the error for a pickle that is more than tensors."""
    return UnsafeWeights(
        f"{path} is a pickle that is more than tensors: {reason}. Nothing was run.",
        hint="If you trust its origin, open it with torch.load(path, weights_only=False) where that code is installed, "
        "and save the state dict alone with torch.save or safetensors.",
    )


def _needs(path: Path, unpickler: DescribingUnpickler) -> UnsafeWeights:
    return unsafe(path, f"it calls {next(iter(unpickler.opaque))}")


def _with_tensors(value: Any, depth: int = 0) -> Any:
    if isinstance(value, Array):
        return _tensor(value)
    if isinstance(value, Mapping) and depth < _DEEPEST:
        return {key: _with_tensors(inner, depth + 1) for key, inner in value.items()}
    return None if isinstance(value, Opaque) else value


def _tensor(array: Array) -> Tensor:
    # Every tensor library reads NumPy's own formats best, and torch requires NumPy to take them over.
    import numpy

    values = numpy.frombuffer(array.data, dtype=numpy.dtype(array.code)).reshape(
        array.shape, order="F" if array.fortran else "C"
    )
    return torch.from_numpy(values.astype(values.dtype.newbyteorder("="), order="C", copy=True))

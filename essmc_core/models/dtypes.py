"""Gives a model the dtypes that another one, or a file, states for its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from essmc_core.models.sameness import unstored_buffers
from essmc_core.weights.checkpoint_parts import choose
from essmc_core.weights.contents.files import read_contents
from essmc_core.weights.contents.summary import is_stored
from essmc_core.weights.state_dict import strip_key


def adopt_dtypes(module: nn.Module, dtypes: Mapping[str, torch.dtype]) -> None:
    """Converts tensors of a module in place.

    Args:
        module: its parameters stay the same objects.
        dtypes: by name in the state dict without wrappers, or of buffers that are not in it; others stay.
    """
    named = {strip_key(name): tensor for name, tensor in module.state_dict(keep_vars=True).items()}
    for name, tensor in {**named, **unstored_buffers(module)}.items():
        wanted = dtypes.get(name)
        if wanted is not None and isinstance(tensor, torch.Tensor) and tensor.dtype != wanted:
            tensor.data = tensor.data.to(wanted)


def stored_dtypes(path: Path, buffers: Mapping[str, str]) -> dict[str, torch.dtype]:
    """Returns the dtypes of a file's tensors, and those that it states for buffers that are not in it."""
    content = read_contents(path).content
    # The same tensors that a load chooses, where a checkpoint holds averaged ones too.
    tensors = choose(content, None, is_stored).tensors if isinstance(content, Mapping) else {}
    names = {strip_key(name): tensor.dtype for name, tensor in tensors.items()}
    found = {name: getattr(torch, dtype, None) for name, dtype in {**names, **buffers}.items()}
    return {name: dtype for name, dtype in found.items() if isinstance(dtype, torch.dtype)}

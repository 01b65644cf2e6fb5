"""What a checkpoint may hold: tensors and plain data, so that reading one runs no code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from essmc_core.errors import ConfigError, WeightsError
from essmc_solvers.checkpoint.sealed_file import check_seal, write_sealed
from essmc_solvers.errors import CheckpointCorrupt

FORMAT = 1


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a checkpoint in one step, sealed with its hash.

    Raises:
        CheckpointNotWritten: it could not be written.
        ConfigError: a value is neither a tensor nor plain data.
    """
    plain = plain_content({"format": FORMAT, **content})

    def write(file: BinaryIO) -> None:
        torch.save(plain, file)

    write_sealed(path, write)


def load(path: Path) -> dict[str, Any]:
    """Reads a checkpoint on the CPU, running nothing that may be in it.

    Raises:
        CheckpointCorrupt: it is not as it was written.
    """
    from essmc_core.weights.read import read_weights

    check_seal(path)
    try:
        content = read_weights(path, mmap=False)
    except WeightsError as error:
        raise CheckpointCorrupt(f"{path} cannot be read: {error}") from error
    if content.get("format") != FORMAT:
        raise CheckpointCorrupt(f"{path} is no checkpoint of this program.")
    return dict(content)


def plain_content(value: Any, path: str = "") -> Any:
    """Returns the same data with tensors on the CPU and every container of a plain type.

    Raises:
        ConfigError: a value has no plain form.
    """
    if value is None or isinstance(value, (bool, int, float, str, bytes, torch.dtype)):
        return _exact(value)
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if isinstance(value, Counter):
        return Counter(value)
    if isinstance(value, Mapping):
        return {plain_content(key, path): plain_content(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [plain_content(item, f"{path}.{index}") for index, item in enumerate(value)]
        return tuple(items) if isinstance(value, tuple) else items if isinstance(value, list) else set(items)
    raise ConfigError(
        f"{path.lstrip('.')} is a {type(value).__name__}, which a checkpoint cannot hold",
        hint="state_dict() of what a run uses may hold tensors, numbers, text, and lists and dicts of them.",
    )


def _exact(value: Any) -> Any:
    """Returns plain values as their plain type: an enum that is an int, say, as that int."""
    if isinstance(value, int) and type(value) not in (bool, int):
        return int(value)
    if isinstance(value, float) and type(value) is not float:
        return float(value)
    # str() of an enum that is a str would be its name.
    return str.__str__(value) if isinstance(value, str) and type(value) is not str else value

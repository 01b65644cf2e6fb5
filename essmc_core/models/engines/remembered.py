"""Remembers which engine was chosen for a model, so that it is not measured again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from essmc_core.errors import EssmcError
from essmc_core.foundation.atomic import write_text
from essmc_core.foundation.paths import cache_dir
from essmc_core.foundation.version import __version__
from essmc_core.models.engines.report import EngineChoice, Trial

_LIBRARIES = ("essmc-engines", "torch", "onnxruntime", "openvino")
_FORMAT = 1


def versions() -> dict[str, str]:
    """Returns the versions that a choice depends on."""
    found = {"essmc-core": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def key_of(model: nn.Module, example: Tensor, engines: Sequence[Any], precision: str, tolerance: float | None) -> str:
    """Returns what distinguishes one choice from another: model, weights, shapes, processor, versions, question."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    question = [
        _FORMAT,
        repr(model),
        list(example.shape),
        str(example.device),
        torch.get_num_threads(),
        _processor(example.device),
        versions(),
        list(engines),
        precision,
        tolerance,
    ]
    digest.update(json.dumps(question, default=str).encode())
    return digest.hexdigest()[:32]


def recall(key: str) -> EngineChoice | None:
    """Returns the choice that was made before, None if there is none or it cannot be read."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, EssmcError):
        stored = json.loads(_file(key).read_text(encoding="utf-8"))
        trials = tuple(Trial(**trial) for trial in stored.pop("trials"))
        stored["input_shape"] = tuple(stored["input_shape"])
        return EngineChoice(**{**stored, "trials": trials, "is_remembered": True})
    return None


def remember(key: str, choice: EngineChoice) -> None:
    """Stores a choice; where the cache folder cannot be written, it is measured again next time."""
    with contextlib.suppress(OSError, EssmcError):
        path = _file(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(choice.as_dict()))


def _file(key: str) -> Path:
    return cache_dir() / "engines" / f"{key}.json"


def _processor(device: torch.device) -> str:
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    facts: Mapping[str, str] = {"machine": platform.machine(), "capability": torch.backends.cpu.get_cpu_capability()}
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return f"{facts} {line.partition(':')[2].strip()}"
    return f"{facts} {platform.processor()}"

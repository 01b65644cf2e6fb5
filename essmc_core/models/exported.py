"""Opens a file that `essmc export` wrote: a network that runs without the code that built it, and its card."""

from __future__ import annotations

import json
import os
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from essmc_core.errors import EssmcError, MissingDependency, WeightsCorrupt
from essmc_core.inputs.file_kind import WORDS, FileKind, file_kind

CARD = "essmc.json"
"""Name under which an exported file carries its card."""
Network = Callable[[Tensor], "Tensor | Mapping[str, Tensor]"]


class NotAnExport(EssmcError, ValueError):
    """A file that `essmc export` did not write."""


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """An exported file, opened.

    Attributes:
        path: the file.
        network: from a batch of inputs to probabilities (N, K), or a dict of such by output.
        input: the ``input`` mapping of its configuration.
        labels: class names by index, empty if it has none.
        card: what built the model.
    """

    path: Path
    network: Network
    input: Mapping[str, Any]
    labels: tuple[str, ...]
    card: Mapping[str, Any]


def is_export(source: object) -> bool:
    """Returns whether a model argument is a file of one of the kinds that `essmc export` writes."""
    if not isinstance(source, (str, os.PathLike)):
        return False
    path = Path(source)
    try:
        return path.is_file() and file_kind(path) in _OPENERS
    except (OSError, ValueError):
        return False


def open_export(path: Path, device: torch.device) -> ExportedModel:
    """Opens an exported file.

    Args:
        path: a file for which `is_export` is true.
        device: where to run.

    Raises:
        NotAnExport: it does not contain the card that `essmc export` writes.
        WeightsCorrupt: it is damaged.
        MissingDependency: it is an ONNX file, and onnxruntime is not installed.
    """
    kind = file_kind(path)
    try:
        with warnings.catch_warnings():
            # TorchScript's deprecation warning is of no use to the owner of such a file.
            warnings.simplefilter("ignore")
            network, text = _OPENERS[kind](path, device)
    except EssmcError:
        raise
    except Exception as error:
        first = (str(error).strip().splitlines() or ["no message"])[0]
        message = f"{path} is {WORDS[kind]} that cannot be opened: {type(error).__name__}: {first}"
        raise WeightsCorrupt(message, hint="Export it anew with this version of PyTorch.") from error
    facts = _read_card(path, kind, text)
    return ExportedModel(path, network, facts["input"], tuple(facts.get("labels") or ()), facts.get("card") or {})


def _read_card(path: Path, kind: FileKind, text: str) -> Mapping[str, Any]:
    facts = json.loads(text) if text else None
    if not isinstance(facts, Mapping) or not isinstance(facts.get("input"), Mapping):
        raise NotAnExport(
            f"{path} is {WORDS[kind]} without a description of its input",
            hint="`essmc export` writes one into the file; of this one it is unknown how to prepare pictures for it",
        )
    return facts


def _open_torchscript(path: Path, device: torch.device) -> tuple[Network, str]:
    module = torch.jit.load(str(path), map_location=device)  # type: ignore[no-untyped-call]

    def run(inputs: Tensor) -> Tensor | Mapping[str, Tensor]:
        # A trace may be specialised to the batch of one that it was recorded with.
        singles = [module(item[None]) for item in inputs]
        if isinstance(singles[0], Mapping):
            return {key: torch.cat([single[key] for single in singles]) for key in singles[0]}
        return torch.cat(singles)

    return run, _extra_file(path)


def _open_pt2(path: Path, device: torch.device) -> tuple[Network, str]:
    program = torch.export.load(str(path))
    if device.type != "cpu":
        from torch.export.passes import move_to_device_pass

        program = move_to_device_pass(program, device)
    network: Network = program.module()
    return network, _extra_file(path)


def _extra_file(path: Path) -> str:
    # Before torch 2.8, exported programs had another layout.
    places = (f"extra/{CARD}", f"extra_files/{CARD}")
    with zipfile.ZipFile(path) as archive:
        found = [name for name in archive.namelist() if name.endswith(places)]
        return archive.read(found[0]).decode() if found else ""


def _open_onnx(path: Path, device: torch.device) -> tuple[Network, str]:
    try:
        import onnxruntime  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as error:
        message = "ONNX files are run by onnxruntime, which is not installed"
        raise MissingDependency(message, hint="pip install onnxruntime") from error
    wanted = ["CUDAExecutionProvider"] if device.type == "cuda" else []
    there = [name for name in (*wanted, "CPUExecutionProvider") if name in onnxruntime.get_available_providers()]
    session = onnxruntime.InferenceSession(str(path), providers=there)
    text = session.get_modelmeta().custom_metadata_map.get(CARD, "")
    names = [output.name for output in session.get_outputs()]
    outputs = (json.loads(text).get("outputs") if text else None) or []
    keys = outputs if len(outputs) == len(names) else names

    def run(inputs: Tensor) -> Tensor | Mapping[str, Tensor]:
        arrays = session.run(names, {session.get_inputs()[0].name: inputs.cpu().numpy()})
        tensors = [torch.from_numpy(array) for array in arrays]
        return tensors[0] if len(tensors) == 1 and not outputs else dict(zip(keys, tensors, strict=True))

    return run, text


_OPENERS: Mapping[FileKind, Callable[[Path, torch.device], tuple[Network, str]]] = {
    "torchscript": _open_torchscript,
    "pt2": _open_pt2,
    "onnx": _open_onnx,
}

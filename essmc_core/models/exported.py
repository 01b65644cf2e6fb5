"""Opens a file that `essmc export` wrote: a network that runs without the code that built it, and its card."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from essmc_core.errors import EssmcError, WeightsCorrupt
from essmc_core.foundation.error_text import first_line
from essmc_core.inputs.file_kind import WORDS, FileKind, file_kind
from essmc_core.models.engines.batches import for_any_batch
from essmc_core.models.formats.file_format import Network, Opened
from essmc_core.models.formats.formats import FORMATS


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
    """Returns whether a model argument is what `essmc export` writes: a file, or a folder with OpenVINO's alone."""
    return isinstance(source, (str, os.PathLike)) and _file(Path(source)) is not None


def _file(path: Path) -> Path | None:
    """Returns the exported file that a path stands for, None if it stands for none."""
    try:
        if path.is_dir():
            described = list(path.glob(f"*{FORMATS['openvino'].suffix}"))
            path = described[0] if len(described) == 1 else path
        return path if path.is_file() and file_kind(path) in FORMATS else None
    except (OSError, ValueError):
        return None


def open_export(path: Path, device: torch.device) -> ExportedModel:
    """Opens an exported file.

    Args:
        path: one for which `is_export` is true.
        device: where to run.

    Raises:
        NotAnExport: it does not contain the card that `essmc export` writes.
        WeightsCorrupt: it is damaged.
        MissingDependency: what runs it is not installed.
    """
    file = _file(path) or path
    kind = file_kind(file)
    try:
        with warnings.catch_warnings():
            # TorchScript's deprecation warning is of no use to the owner of such a file.
            warnings.simplefilter("ignore")
            opened = FORMATS[kind].open(file, device)
    except EssmcError:
        raise
    except Exception as error:
        message = f"{file} is {WORDS[kind]} that cannot be opened: {type(error).__name__}: {first_line(error)}"
        raise WeightsCorrupt(message, hint="Export it anew with this version of PyTorch.") from error
    facts = _read_card(file, kind, opened.card)
    network = _network(opened, [str(key) for key in facts.get("outputs") or ()])
    return ExportedModel(file, network, facts["input"], tuple(facts.get("labels") or ()), facts.get("card") or {})


def _read_card(path: Path, kind: FileKind, text: str) -> Mapping[str, Any]:
    facts = json.loads(text) if text else None
    if not isinstance(facts, Mapping) or not isinstance(facts.get("input"), Mapping):
        raise NotAnExport(
            f"{path} is {WORDS[kind]} without a description of its input",
            hint="`essmc export` writes one into the file; of this one it is unknown how to prepare pictures for it",
        )
    return facts


def _network(opened: Opened, outputs: Sequence[str]) -> Network:
    """Returns a function for batches of any size, whose outputs have the names that the model gave them."""
    keys = outputs if not opened.names or len(outputs) == len(opened.names) else opened.names

    def one(inputs: Tensor) -> Tensor | Mapping[str, Tensor]:
        found = opened.run(inputs)
        if isinstance(found, (list, tuple)):
            return found[0] if len(found) == 1 and not outputs else dict(zip(keys, found, strict=True))
        return found  # type: ignore[no-any-return]

    return one if opened.batch is None else for_any_batch(one, opened.batch)

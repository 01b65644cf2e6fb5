"""TorchScript: a trace of the model."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from essmc_core.models.formats.file_format import CARD, FileFormat, Opened


class TorchScript(FileFormat):
    """A trace, which contains the sizes that it was recorded with wherever the model computes with them."""

    name = "torchscript"
    suffix = ".pt"
    may_hold_its_batch = True
    frees_sizes = False

    def write(self, model: nn.Module, example: Tensor, free: Collection[int], card: str, file: Path) -> None:
        """Writes a trace of a batch of one; see `FileFormat.write`."""
        one = example[:1]
        with torch.no_grad():
            strict = not isinstance(model(one), Mapping)
            traced: Any = torch.jit.trace(model, one, strict=strict, check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(traced, str(file), _extra_files={CARD: card})

    def open(self, path: Path, device: torch.device) -> Opened:
        """Opens a trace; see `FileFormat.open`."""
        module: Any = torch.jit.load(str(path), map_location=device)  # type: ignore[no-untyped-call]
        return Opened(module, extra_file(path), batch=1)


def extra_file(path: Path) -> str:
    """Returns the card in an archive that PyTorch wrote, empty if it has none."""
    # Before torch 2.8, exported programs had another layout.
    places = (f"extra/{CARD}", f"extra_files/{CARD}")
    with zipfile.ZipFile(path) as archive:
        found = [name for name in archive.namelist() if name.endswith(places)]
        return archive.read(found[0]).decode() if found else ""

"""Exported programs of PyTorch."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import torch
from torch import Tensor, nn

from essmc_core.contract.recording import export_for_any_batch
from essmc_core.models.formats.file_format import CARD, FileFormat, Opened
from essmc_core.models.formats.torchscript import extra_file


class Pt2(FileFormat):
    """What `torch.export` records."""

    name = "pt2"
    suffix = ".pt2"

    def write(self, model: nn.Module, example: Tensor, free: Collection[int], card: str, file: Path) -> None:
        """Writes a program for any batch; see `FileFormat.write`."""
        program = export_for_any_batch(model, example, free)
        torch.export.save(program, str(file), extra_files={CARD: card})

    def open(self, path: Path, device: torch.device) -> Opened:
        """Opens a program; see `FileFormat.open`."""
        program = torch.export.load(str(path))
        if device.type != "cpu":
            from torch.export.passes import move_to_device_pass

            program = move_to_device_pass(program, device)
        return Opened(program.module(), extra_file(path))

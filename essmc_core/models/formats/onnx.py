"""ONNX, run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from essmc_core.contract.recording import export_for_any_batch
from essmc_core.models.formats.file_format import CARD, FileFormat, Opened, require


class Onnx(FileFormat):
    """One file with its weights in it."""

    name = "onnx"
    suffix = ".onnx"
    packages = ("onnx", "onnxscript", "onnxruntime")

    def write(self, model: nn.Module, example: Tensor, free: Collection[int], card: str, file: Path) -> None:
        """Writes a network for any batch; see `FileFormat.write`."""
        import onnx  # type: ignore[import-not-found,import-untyped,unused-ignore]

        proto = onnx_network(model, example, free)
        proto.metadata_props.add(key=CARD, value=card)
        onnx.save(proto, str(file))

    def open(self, path: Path, device: torch.device) -> Opened:
        """Opens a session; see `FileFormat.open`."""
        require(("onnxruntime",), "ONNX files are run by")
        import onnxruntime  # type: ignore[import-not-found,import-untyped,unused-ignore]

        wanted = ["CUDAExecutionProvider"] if device.type == "cuda" else []
        there = [name for name in (*wanted, "CPUExecutionProvider") if name in onnxruntime.get_available_providers()]
        session: Any = onnxruntime.InferenceSession(str(path), providers=there)
        names = [output.name for output in session.get_outputs()]

        def run(inputs: Tensor) -> list[Tensor]:
            given = {session.get_inputs()[0].name: inputs.cpu().numpy()}
            return [torch.from_numpy(array) for array in session.run(names, given)]

        return Opened(run, session.get_modelmeta().custom_metadata_map.get(CARD, ""), names)


def onnx_network(model: nn.Module, example: Tensor, free: Collection[int]) -> Any:
    """Returns a model as ONNX's own object; see `FileFormat.write`."""
    program = export_for_any_batch(model, example, free)
    converted = torch.onnx.export(program, (), dynamo=True, verbose=False)
    assert converted is not None
    return converted.model_proto

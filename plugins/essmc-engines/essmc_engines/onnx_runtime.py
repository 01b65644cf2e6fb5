"""ONNX Runtime."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from essmc_core.contract.engine import Engine, Precision, Run
from essmc_engines.onnx_program import as_onnx


class OnnxRuntime(Engine):
    """Runs the model's inference form by ONNX Runtime.

    Args:
        threads: threads of one operation; 0 is as many as PyTorch uses.
    """

    devices = ("cpu", "cuda")

    def __init__(self, threads: int = 0) -> None:
        self.threads = threads

    def missing(self) -> str:
        """Returns what is missing; see `Engine.missing`."""
        absent = [name for name in ("onnx", "onnxscript", "onnxruntime") if importlib.util.find_spec(name) is None]
        return f"{absent[0]} is not installed: pip install 'essmc-engines[onnxruntime]'" if absent else ""

    def prepare(self, model: nn.Module, example: Tensor, precision: Precision) -> Run:
        """Returns a session; see `Engine.prepare`."""
        import onnxruntime  # type: ignore[import-not-found,import-untyped,unused-ignore]

        program, keys = as_onnx(model, example)
        data = io.BytesIO()
        import onnx  # type: ignore[import-not-found,import-untyped,unused-ignore]

        onnx.save(program.model_proto, data)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads or torch.get_num_threads()
        wanted = ["CUDAExecutionProvider"] if example.device.type == "cuda" else []
        session: Any = onnxruntime.InferenceSession(
            data.getvalue(), options, providers=[*wanted, "CPUExecutionProvider"]
        )
        name = session.get_inputs()[0].name
        device = example.device

        def run(inputs: Tensor) -> Tensor | Mapping[str, Tensor]:
            found = [torch.from_numpy(array).to(device) for array in session.run(None, {name: inputs.cpu().numpy()})]
            return found[0] if keys is None else dict(zip(keys, found, strict=True))

        return run

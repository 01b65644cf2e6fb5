"""ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from essmc_core.contract.engine import Engine, Precision, Run
from essmc_engines.onnx_program import as_onnx, missing_packages, named


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
        return missing_packages(("onnx", "onnxscript", "onnxruntime"), "onnxruntime")

    def prepare(self, model: nn.Module, example: Tensor, precision: Precision) -> Run:
        """Returns a session; see `Engine.prepare`."""
        import onnxruntime  # type: ignore[import-not-found,import-untyped,unused-ignore]

        file, keys = as_onnx(model, example)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads or torch.get_num_threads()
        wanted = ["CUDAExecutionProvider"] if example.device.type == "cuda" else []
        session: Any = onnxruntime.InferenceSession(file, options, providers=[*wanted, "CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        device = example.device

        def run(inputs: Tensor) -> Tensor | Mapping[str, Tensor]:
            return named(session.run(None, {name: inputs.cpu().numpy()}), keys, device)

        return run

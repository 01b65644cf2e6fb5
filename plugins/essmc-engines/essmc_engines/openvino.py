"""OpenVINO."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from essmc_core.contract.engine import Engine, Precision, Run
from essmc_engines.onnx_program import as_onnx, missing_packages, named

_HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}


class OpenVino(Engine):
    """Runs the model's inference form by OpenVINO.

    Args:
        threads: of the processor; 0 is as many as PyTorch uses.
    """

    precisions = ("fp32", "bf16", "fp16")
    any_batch = False

    def __init__(self, threads: int = 0) -> None:
        self.threads = threads

    def missing(self) -> str:
        """Returns what is missing; see `Engine.missing`."""
        return missing_packages(("openvino", "onnx", "onnxscript"), "openvino,onnxruntime")

    def prepare(self, model: nn.Module, example: Tensor, precision: Precision) -> Run:
        """Returns a compiled model; see `Engine.prepare`."""
        import openvino  # type: ignore[import-not-found,import-untyped,unused-ignore]

        file, keys = as_onnx(model, example)
        core = openvino.Core()
        read: Any = core.read_model(io.BytesIO(file))
        read.reshape(list(example.shape))
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": self.threads or torch.get_num_threads(),
        }
        compiled: Any = core.compile_model(read, "CPU", settings)
        request = compiled.create_infer_request()

        def run(inputs: Tensor) -> Tensor | Mapping[str, Tensor]:
            request.infer([inputs.numpy()])
            outputs = [request.get_output_tensor(number).data for number in range(len(compiled.outputs))]
            # The request's memory is used again by the next call.
            return named([array.astype("float32") for array in outputs], keys, example.device)

        return run

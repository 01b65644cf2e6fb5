"""OpenVINO."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from essmc_core.contract.engine import Engine, Precision, Run
from essmc_engines.onnx_program import as_onnx

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
        absent = [name for name in ("openvino", "onnx", "onnxscript") if importlib.util.find_spec(name) is None]
        return f"{absent[0]} is not installed: pip install 'essmc-engines[openvino,onnxruntime]'" if absent else ""

    def prepare(self, model: nn.Module, example: Tensor, precision: Precision) -> Run:
        """Returns a compiled model; see `Engine.prepare`."""
        import onnx  # type: ignore[import-not-found,import-untyped,unused-ignore]
        import openvino  # type: ignore[import-not-found,import-untyped,unused-ignore]

        program, keys = as_onnx(model, example)
        data = io.BytesIO()
        onnx.save(program.model_proto, data)
        core = openvino.Core()
        read: Any = core.read_model(io.BytesIO(data.getvalue()))
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
            found = [torch.from_numpy(array).float().clone() for array in outputs]
            return found[0] if keys is None else dict(zip(keys, found, strict=True))

        return run

"""What this pack registers: engines."""

from __future__ import annotations

from essmc_core import hookimpl
from essmc_core.discovery.hooks import StagedRegistries


@hookimpl
def register_components(registries: StagedRegistries) -> None:
    """Registers the engines; what they need is imported when they are used."""
    engines = registries.engines
    engines.register("eager", "essmc_engines.eager:Eager", summary="The model as it is, the reference")
    engines.register(
        "folded", "essmc_engines.folded:Folded", summary="Batch norms and constants folded, PyTorch's kernels"
    )
    engines.register("onednn", "essmc_engines.onednn:OneDNN", summary="Folded, by oneDNN with weights in its own order")
    engines.register("inductor", "essmc_engines.inductor:Inductor", summary="torch.compile with frozen weights")
    engines.register("onnxruntime", "essmc_engines.onnx_runtime:OnnxRuntime", summary="ONNX Runtime on the CPU or CUDA")
    engines.register("openvino", "essmc_engines.openvino:OpenVino", summary="OpenVINO on the CPU")

"""PyTorch's compiler, with weights as constants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from essmc_core.contract.engine import Engine, Precision, Run
from essmc_engines.autocast import autocasting
from essmc_engines.folded import folded_graph


class Inductor(Engine):
    """Runs the folded graph compiled by `torch.compile` with freezing.

    Args:
        max_autotune: try several kernels for each operation, which takes minutes.
    """

    precisions = ("fp32", "bf16", "fp16")
    devices = ("cpu",)
    any_batch = False

    def __init__(self, max_autotune: bool = False) -> None:
        self.max_autotune = max_autotune

    def missing(self) -> str:
        """Returns what is missing; see `Engine.missing`."""
        from torch._inductor import config, cpp_builder
        from torch._inductor.exc import InvalidCxxCompiler

        try:
            cpp_builder.get_cpp_compiler()
        except InvalidCxxCompiler:
            return f"there is no C++ compiler ({config.cpp.cxx[-1]}); install g++"
        return ""

    def prepare(self, model: nn.Module, example: Tensor, precision: Precision) -> Run:
        """Returns the compiled graph; see `Engine.prepare`."""
        from torch._inductor import config

        graph = autocasting(folded_graph(model, example), example.device, precision)
        compiled: Any = torch.compile(graph, mode="max-autotune" if self.max_autotune else None)

        def run(inputs: Tensor) -> Tensor | Mapping[str, Tensor]:
            with torch.no_grad(), config.patch(freezing=True):
                outputs: Tensor | Mapping[str, Tensor] = compiled(inputs)
            return outputs

        return run

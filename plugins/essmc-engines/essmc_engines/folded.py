"""The inference form of a model: what evaluation keeps constant is folded into the layers before."""

from __future__ import annotations

from torch import Tensor, fx, nn

from essmc_core.contract.engine import Engine, Precision, Run
from essmc_engines.autocast import autocasting
from essmc_engines.graph.folding import fold
from essmc_engines.graph.recording import record


class Folded(Engine):
    """Runs the model's graph with everything folded that evaluation keeps constant.

    What it prepares is an `torch.fx.GraphModule` of PyTorch's own operations, which can be exported and compiled.
    """

    precisions = ("fp32", "bf16", "fp16")
    devices = ("cpu", "cuda", "mps")

    def prepare(self, model: nn.Module, example: Tensor, precision: Precision) -> Run:
        """Returns the folded graph; see `Engine.prepare`."""
        return autocasting(folded_graph(model, example), example.device, precision)


def folded_graph(model: nn.Module, example: Tensor) -> fx.GraphModule:
    """Returns the inference form of a model.

    Args:
        model: in test mode; it is not changed.
        example: a batch of inputs.
    """
    return fold(record(model, example))

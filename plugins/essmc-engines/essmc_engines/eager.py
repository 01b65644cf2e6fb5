"""The model as it is."""

from __future__ import annotations

from torch import Tensor, nn

from essmc_core.contract.engine import Engine, Precision, Run
from essmc_engines.autocast import autocasting


class Eager(Engine):
    """Runs the model itself, which every other engine is compared with; lower precision is autocast."""

    precisions = ("fp32", "bf16", "fp16")
    devices = ("cpu", "cuda", "mps")

    def prepare(self, model: nn.Module, example: Tensor, precision: Precision) -> Run:
        """Returns the model; see `Engine.prepare`."""
        return autocasting(model, example.device, precision)

"""oneDNN by itself: convolutions and linear layers with weights in the order that it computes in."""

from __future__ import annotations

from torch import Tensor, nn

from essmc_core.contract.engine import Engine, Precision, Run
from essmc_engines.folded import folded_graph


class OneDNN(Engine):
    """Runs the folded graph by oneDNN's operations, which PyTorch leaves alone for single clips.

    Convolutions and linear layers take the activation or addition that follows with them. Weights are stored in the
    order that oneDNN computes in, so what it prepares can be neither exported nor pickled.
    """

    def missing(self) -> str:
        """Returns what is missing; see `Engine.missing`."""
        from essmc_engines.graph.onednn import is_available

        return "" if is_available() else "this PyTorch was built without oneDNN"

    def prepare(self, model: nn.Module, example: Tensor, precision: Precision) -> Run:
        """Returns the graph with oneDNN's operations; see `Engine.prepare`."""
        from essmc_engines.graph.onednn import lower

        graph: Run = lower(folded_graph(model, example))
        return graph

"""A model's test mode as an engine runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from essmc_core.contract.engine import Engine, Precision, Run
from essmc_core.models.defaults import REGISTRIES
from essmc_core.models.engines.batches import prepared
from essmc_core.models.engines.report import EngineChoice


class Predictor:
    """Calls a model's test mode through an engine: the same outputs for batches of any size.

    It can be pickled; another process prepares the engine again at the first call.

    Args:
        model: in test mode.
        example: a batch of inputs, (N, …).
        engine: name or configuration of the engine.
        choice: why that one.

    Attributes:
        model: the model itself, unchanged.
        choice: engine, precision, shapes and what was measured.
    """

    def __init__(self, model: nn.Module, example: Tensor, engine: Any, choice: EngineChoice) -> None:
        self.model = model
        self.choice = choice
        self._engine_config = engine
        self._shape = tuple(example.shape)
        self._run: Run | None = None

    @property
    def card(self) -> Mapping[str, object] | None:
        """What built the model, and what runs it."""
        card = getattr(self.model, "card", None)
        return None if card is None else {**card, "engine": self.choice.as_dict()}

    def prepare(self) -> None:
        """Prepares the engine now instead of at the first call.

        Raises:
            Exception: the engine cannot run the model.
        """
        if self._run is not None:
            return
        engine: Engine = REGISTRIES["engines"].build(self._engine_config)
        parameter = next(self.model.parameters(), torch.empty(0))
        generator = torch.Generator().manual_seed(0)
        example = torch.randn(self._shape, generator=generator).to(parameter.device)
        with torch.inference_mode():
            self._run = prepared(engine, self.model, example, cast("Precision", self.choice.precision))

    def __call__(self, inputs: Tensor) -> Tensor | Mapping[str, Tensor]:
        """Returns what the model's test mode returns for a batch (N, …), of any N."""
        self.prepare()
        assert self._run is not None
        with torch.inference_mode():
            return self._run(inputs)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_run": None}

    def __repr__(self) -> str:
        return f"Predictor({self.choice})"

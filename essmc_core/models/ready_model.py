"""A model ready for prediction: network, input specification, class names; from a recipe, a module or a file."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from essmc_core.contract.module import TrainModule
from essmc_core.errors import ConfigError, NonFiniteOutput
from essmc_core.inputs import InputSpec
from essmc_core.models.devices import find_device
from essmc_core.models.exported import ExportedModel, open_export
from essmc_core.models.factory import build_trained
from essmc_core.models.formats.file_format import Network
from essmc_core.models.predicted import by_output
from essmc_core.zoo.labels import configured_counts
from essmc_core.zoo.recipe import Recipe

Replacement: TypeAlias = Callable[[Network, Tensor], Network]
# Views in one batch, which limits memory.
_VIEWS_AT_ONCE = 8


class ReadyModel:
    """A network and what is needed to use it; the network is built on first use.

    Args:
        name: for messages.
        spec: its input specification.
        make: returns the network, in test mode and on the device.
        labels: returns the class names, given the number of classes of each output.
        device: device of the inputs.
        weights: URI of the weights, None for random ones.
        card: returns what built the network.
        is_built: whether the network was built by the caller, so that its weights are not considered random.
        engine: what runs it instead of PyTorch as it is: given the network and the first batch, returns its like.
    """

    def __init__(
        self,
        name: str,
        spec: InputSpec,
        make: Callable[[], Network],
        labels: Callable[[Sequence[int]], Sequence[str]],
        device: torch.device,
        weights: str | None,
        card: Callable[[Network], Mapping[str, object]],
        is_built: bool = False,
        engine: Replacement | None = None,
    ) -> None:
        self.name = name
        self.spec = spec
        self.device = device
        self.weights = weights
        self.is_built = is_built
        self._make = make
        self._labels = labels
        self._card = card
        self._engine = engine
        self._optimized: Network | None = None

    @functools.cached_property
    def network(self) -> Network:
        """From a batch of inputs to probabilities (N, K), or a dict of such by output."""
        return self._make()

    @property
    def card(self) -> Mapping[str, object]:
        """What built the network."""
        return self._card(self.network)

    def average(self, inputs: Tensor) -> dict[str, Tensor]:
        """Returns the mean probabilities (1, K) over a batch of views, by output.

        Raises:
            NonFiniteOutput: an output is NaN or infinite.
        """
        return next(self.average_each([inputs]))

    def average_each(self, parts: Iterable[Tensor]) -> Iterator[dict[str, Tensor]]:
        """Yields the mean probabilities (1, K) over the views of each part, by output.

        Views of several parts run in one batch, so that short segments of a video take no longer than long ones.

        Args:
            parts: batches of views, (views, …).

        Raises:
            NonFiniteOutput: an output is NaN or infinite.
        """
        waiting: list[Tensor] = []
        for part in parts:
            if waiting and sum(map(len, waiting)) + len(part) > _VIEWS_AT_ONCE:
                yield from self._averages(waiting)
                waiting = []
            waiting.append(part)
        if waiting:
            yield from self._averages(waiting)

    def _averages(self, parts: Sequence[Tensor]) -> Iterator[dict[str, Tensor]]:
        with torch.inference_mode():
            batches = torch.split(torch.cat(list(parts)).to(self.device), _VIEWS_AT_ONCE)
            network = self._for(batches[0])
            chunks = [_finite(by_output(network(batch))) for batch in batches]
            outputs = {key: torch.cat([chunk[key] for chunk in chunks]) for key in chunks[0]}
            means = {
                key: [views.mean(0, keepdim=True) for views in torch.split(value, [len(part) for part in parts])]
                for key, value in outputs.items()
            }
        for number in range(len(parts)):
            yield {key: values[number] for key, values in means.items()}

    def _for(self, batch: Tensor) -> Network:
        """Returns what runs a batch: the network, or what the engine made of it for batches of this kind."""
        if self._engine is None:
            return self.network
        if self._optimized is None:
            self._optimized = self._engine(self.network, batch)
        return self._optimized

    def labels(self, outputs: Mapping[str, Tensor]) -> Sequence[str]:
        """Returns the class names of outputs (N, K) by index, empty if there are none.

        Raises:
            ConfigError: there are names, and no output has as many classes.
        """
        return self._labels([tensor.shape[1] for tensor in outputs.values()])


def from_recipe(
    recipe: Recipe,
    source: Mapping[str, Any] | None,
    device: torch.device,
    *,
    check: bool = False,
    engine: Replacement | None = None,
) -> ReadyModel:
    """Returns the model of a configuration.

    Args:
        recipe: what to build.
        source: weights to load, see :func:`essmc_core.zoo.weights_asked.weights_source`; None leaves them random.
        device: where to run.
        check: compare the network with the recipe's fingerprint when it is built.
        engine: see `ReadyModel`.

    Raises:
        ConfigError: it has no ``input``, or its labels are not those of its head.
    """
    spec = recipe.input_spec()
    recipe.checked_labels(configured_counts(recipe.config))
    return ReadyModel(
        name=recipe.name,
        spec=spec,
        make=lambda: build_trained(recipe, source, check=check).eval().to(device),
        labels=recipe.checked_labels,
        device=device,
        weights=None if source is None else str(source.get("uri", source.get("path"))),
        card=_card_of,
        engine=engine,
    )


def from_module(
    module: TrainModule,
    device: torch.device,
    input: InputSpec | Mapping[str, Any] | None,
    labels: Sequence[str] | None,
    engine: Replacement | None = None,
) -> ReadyModel:
    """Returns the ready model of a module that is built already; its mode is not changed.

    Args:
        module: the model.
        device: where it is.
        input: its input specification, by default that of its card.
        labels: class names by index, by default those of its card.
        engine: see `ReadyModel`.

    Raises:
        ConfigError: neither ``input`` nor the card states the input specification, or no output has as many classes as
            there are labels.
    """
    card = module.card or {}
    config = card.get("config")
    stated = config if isinstance(config, Mapping) else {}
    name = str(card.get("model", type(module).__name__))
    taken = input if input is not None else stated.get("input")
    if not isinstance(taken, (Mapping, InputSpec)):
        raise ConfigError(
            f"what {name} takes is unknown: its card has no `input`",
            hint="give input={'modality': 'image', 'size': 224, 'mean': […], 'std': […]}, or build it by build_model",
        )
    listed = stated.get("labels")
    names = labels if labels is not None else listed if isinstance(listed, (list, tuple)) else ()
    weights = card.get("weights")
    return ReadyModel(
        name=name,
        spec=taken if isinstance(taken, InputSpec) else InputSpec.from_mapping(taken),
        # An engine takes a copy in test mode by itself.
        make=lambda: _in_test_form(module) if engine is None else module,
        labels=functools.partial(_counted, name, [str(label) for label in names]),
        device=device,
        weights=str(weights["uri"]) if isinstance(weights, Mapping) and "uri" in weights else None,
        card=lambda network: card,
        is_built=True,
        engine=engine,
    )


def from_export(path: Path, device: torch.device) -> ReadyModel:
    """Returns the model of a file that `essmc export` wrote.

    Raises:
        NotAnExport: the file is not an export.
        WeightsCorrupt: it is damaged.
    """
    exported: ExportedModel = open_export(path, device)
    weights = exported.card.get("weights")
    return ReadyModel(
        name=str(path),
        spec=InputSpec.from_mapping(exported.input),
        make=lambda: exported.network,
        labels=functools.partial(_counted, str(path), exported.labels),
        device=device,
        weights=str(weights["uri"]) if isinstance(weights, Mapping) and "uri" in weights else None,
        card=lambda network: exported.card,
    )


def module_device(module: TrainModule) -> torch.device:
    """Returns where a module is; the CPU if it has no parameters."""
    parameter = next(module.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def device_of(name: str | None) -> torch.device:
    """Returns a device by name; None is the CPU."""
    return find_device(name or "cpu")


def _card_of(network: Network) -> Mapping[str, object]:
    return (network.card if isinstance(network, TrainModule) else None) or {}


def _in_test_form(module: TrainModule) -> Network:
    def run(inputs: Tensor) -> Tensor | Mapping[str, Tensor]:
        modes = {part: part.training for part in module.modules()}
        try:
            outputs: Tensor | Mapping[str, Tensor] = module.eval()(inputs)
            return outputs
        finally:
            # `train(mode)` of the whole model would also change submodules that were put in test mode individually.
            for part, training in modes.items():
                part.training = training

    return run


def _finite(outputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Returns outputs unchanged.

    Raises:
        NonFiniteOutput: an output is NaN or infinite, so that no class is the most probable one.
    """
    for key, tensor in outputs.items():
        if not bool(torch.isfinite(tensor).all()):
            what = f"The model's output {key!r}" if key else "The model's output"
            raise NonFiniteOutput(
                f"{what} is NaN or infinite, so it names no class.",
                hint="Do the weights belong to this model, and is the input what it takes? Half precision overflows.",
            )
    return outputs


def _counted(name: str, labels: Sequence[str], counts: Sequence[int]) -> Sequence[str]:
    if labels and len(labels) not in counts:
        classes = " and ".join(map(str, counts))
        raise ConfigError(f"there are {len(labels)} labels, and {name} has {classes} classes")
    return labels

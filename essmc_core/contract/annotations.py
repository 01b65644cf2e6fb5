"""Annotations of parameters: which registry a nested configuration refers to, and the limits of a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias, TypedDict


@dataclass(frozen=True, slots=True)
class Nested:
    """Marks a parameter whose value is a component of a kind: a name, a mapping with ``type``, or the object itself."""

    kind: str


@dataclass(frozen=True, slots=True)
class FromBackbone:
    """Marks a number that the builder reads from the backbone of the same model, unless the configuration states it.

    Attributes:
        attribute: name in :class:`essmc_core.contract.features.BackboneInterface`.
    """

    attribute: str


@dataclass(frozen=True, slots=True)
class Configured:
    """Marks a parameter that takes the configuration of a component, which the constructor builds later.

    An optimizer, for example, cannot be built before the model: the checker checks its configuration, the builder
    passes it on unbuilt.

    Attributes:
        kind: of the component.
        subject: the component's argument that the constructor supplies, its first argument if none has this name;
            None: the constructor supplies none.
    """

    kind: str
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Marks a number with limits, which `essmc validate` checks as the constructor does.

    Attributes:
        least: inclusive lower limit.
        above: exclusive lower limit.
        most: inclusive upper limit.
        below: exclusive upper limit.
    """

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None


PositiveInt: TypeAlias = Annotated[int, Bounds(least=1)]
"""A whole number of 1 or more."""
NonNegativeInt: TypeAlias = Annotated[int, Bounds(least=0)]
"""A whole number of 0 or more."""
PositiveFloat: TypeAlias = Annotated[float, Bounds(above=0)]
"""A number above 0."""
NonNegativeFloat: TypeAlias = Annotated[float, Bounds(least=0)]
"""A number of 0 or more."""
Probability: TypeAlias = Annotated[float, Bounds(least=0, most=1)]
"""A number in [0, 1]."""
ShareBelowOne: TypeAlias = Annotated[float, Bounds(least=0, below=1)]
"""A number in [0, 1)."""

FeatureDim: TypeAlias = Annotated[int, FromBackbone("num_features")]
"""Width of pooled features: the ``dim`` of a head."""
FeatureRank: TypeAlias = Annotated[int, FromBackbone("feature_rank")]
"""Number of dimensions behind the channels: the ``dim`` of a pooling neck."""

OptimizerConfig: TypeAlias = Annotated[Any, Configured("optimizers", "params")]
"""An optimizer without its parameters: a name, a mapping with ``type``, or the object itself."""
LrSchedulerConfig: TypeAlias = Annotated[Any, Configured("lr_schedulers", "optimizer")]
"""A schedule without its optimizer."""


class MetricOnKeys(TypedDict):
    """A metric over all evaluation data, and what it is called with.

    Attributes:
        metric: the metric.
        keys: dotted names of inputs and outputs of the model, in the order of the metric's arguments.
    """

    metric: Annotated[Any, Configured("metrics")]
    keys: Sequence[str]


Model: TypeAlias = Annotated[Any, Nested("models")]
Backbone: TypeAlias = Annotated[Any, Nested("backbones")]
Neck: TypeAlias = Annotated[Any, Nested("necks")]
Head: TypeAlias = Annotated[Any, Nested("heads")]
Brick: TypeAlias = Annotated[Any, Nested("bricks")]
Loss: TypeAlias = Annotated[Any, Nested("losses")]
Metric: TypeAlias = Annotated[Any, Nested("metrics")]
Solver: TypeAlias = Annotated[Any, Nested("solvers")]
Hook: TypeAlias = Annotated[Any, Nested("hooks")]
Optimizer: TypeAlias = Annotated[Any, Nested("optimizers")]
LrScheduler: TypeAlias = Annotated[Any, Nested("lr_schedulers")]
Transform: TypeAlias = Annotated[Any, Nested("transforms")]
FrameSampler: TypeAlias = Annotated[Any, Nested("frame_samplers")]
Dataset: TypeAlias = Annotated[Any, Nested("datasets")]

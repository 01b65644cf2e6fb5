"""Networks of ours with arguments that a file's shapes tell, built without memory and compared tensor by tensor."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any

from essmc_core.errors import EssmcError
from essmc_core.models.derived_heads import classifier_around
from essmc_core.weights.layouts.layout import AnyLayout, Derived, Shapes
from essmc_core.weights.layouts.recognise import renamed_by, unwrapped
from essmc_core.weights.state_dict import strip_wrappers

# What a file may lack, by the version of the library that wrote it.
_COUNTER = "num_batches_tracked"
_MOST_BUILT = 12
_MOST_FITTING = 4
_STEPS = ("eps", "kernel_size", "stride", "padding", "dilation", "groups", "num_heads", "heads")


@dataclass(frozen=True, slots=True)
class Built:
    """A backbone that was built without memory.

    Attributes:
        shapes: of its tensors, by name.
        width: of its features.
        rank: how many dimensions they have besides batch and channels.
        steps: what its layers compute with besides their weights, such as strides and epsilons.
    """

    shapes: Mapping[str, tuple[int, ...]]
    width: int
    rank: int
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fit:
    """How far a configuration's network has the names and shapes of a file.

    Attributes:
        layout: whose names they are.
        model: configuration of a model, or of a backbone where the file has no head.
        backbone: configuration of the backbone.
        classes: numbers of classes.
        width: of the backbone's features.
        tensors: how many tensors are equal in name and shape.
        wrapper: what stands before every name.
        missing: names that the network has and the file has not.
        unknown: names that the file has and the network has not.
        other: names that both have, with the shapes in the file and in the network.
    """

    layout: Derived
    model: Mapping[str, Any]
    backbone: Mapping[str, Any]
    classes: tuple[int, ...]
    width: int
    tensors: int
    wrapper: str = ""
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    other: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...] = field(default=())

    @property
    def is_exact(self) -> bool:
        """Whether every tensor of both is the other's."""
        return not (self.missing or self.unknown or self.other)

    def is_same_as(self, backbone: Mapping[str, Any]) -> bool:
        """Returns whether another configuration of the backbone has the same names, shapes, strides and epsilons."""
        return built_backbone(backbone) == built_backbone(self.backbone)

    @property
    def differences(self) -> int:
        """Number of tensors that differ."""
        return len(self.missing) + len(self.unknown) + len(self.other)


def derive(shapes: Shapes, layouts: Iterable[AnyLayout]) -> list[Fit]:
    """Returns the networks that have exactly these names and shapes, or else the nearest ones, differences counted.

    Nothing is built where no layout's sign is in the names.

    Args:
        shapes: of the tensors by name.
        layouts: the layouts to try.
    """
    known = [layout for layout in layouts if isinstance(layout, Derived)]
    fits: list[Fit] = []
    for wrapper, inner in unwrapped(strip_wrappers(shapes)):
        for layout in known:
            if not any(layout.sign in name for name in inner):
                continue
            named = renamed_by(inner, layout)
            if named is not None:
                fits += _fits(layout, named, wrapper)
    exact = [fit for fit in fits if fit.is_exact]
    if exact:
        return exact[:_MOST_FITTING]
    half = len(shapes) / 2
    return sorted((fit for fit in fits if fit.tensors > half), key=lambda fit: fit.differences)[:_MOST_FITTING]


def _fits(layout: Derived, shapes: Shapes, wrapper: str) -> Iterator[Fit]:
    body = {key.removeprefix("backbone."): shape for key, shape in shapes.items() if key.startswith("backbone.")}
    head = {key.removeprefix("head."): shape for key, shape in shapes.items() if key.startswith("head.")}
    is_model = len(body) + len(head) == len(shapes) and bool(body)
    body, head = (body, head) if is_model else (dict(shapes), {})
    fitting: list[Mapping[str, Any]] = []
    for config in islice(_distinct(_configs(layout, body, fitting)), _MOST_BUILT):
        # More arguments than those that are enough say the same network again.
        if any(fit.items() <= config.items() for fit in fitting):
            continue
        built = built_backbone(config)
        if built is None:
            continue
        found = _compared(layout, config, built, body, head, is_model, wrapper)
        yield found
        if found.is_exact:
            fitting.append(config)
        if len(fitting) == _MOST_FITTING:
            return


def _configs(layout: Derived, body: Shapes, fitting: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    yield from layout.backbones(body)
    if layout.otherwise is not None and not fitting:
        yield from layout.otherwise(body)


def _distinct(configs: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    seen: set[str] = set()
    try:
        for config in configs:
            key = json.dumps(config, sort_keys=True, default=str)
            if key not in seen:
                seen.add(key)
                yield config
    except (LookupError, ArithmeticError, ValueError):
        # Names of a family with shapes that none of its networks has, such as a convolution's of two dimensions.
        return


def _compared(
    layout: Derived, config: Mapping[str, Any], built: Built, body: Shapes, head: Shapes, is_model: bool, wrapper: str,
) -> Fit:  # fmt: skip
    front = "backbone." if is_model else ""
    around = classifier_around(layout, config, built.width, built.rank, head)
    wanted = {f"{front}{key}": shape for key, shape in built.shapes.items()}
    wanted |= {f"head.{key}": shape for key, shape in around.head.items()}
    file = {f"{front}{key}": shape for key, shape in body.items()} | {f"head.{key}": s for key, s in head.items()}
    has_counters = any(key.endswith(_COUNTER) for key in file)
    missing = [key for key in wanted if key not in file and (has_counters or not key.endswith(_COUNTER))]
    other = [(key, file[key], wanted[key]) for key in wanted if key in file and file[key] != wanted[key]]
    equal = sum(file.get(key) == shape for key, shape in wanted.items())
    unknown = tuple(key for key in file if key not in wanted)
    return Fit(
        layout, around.model if is_model else config, config, around.classes, built.width, equal, wrapper,
        tuple(missing), unknown, tuple(other),
    )  # fmt: skip


def built_backbone(config: Mapping[str, Any]) -> Built | None:
    """Returns what a backbone is without its values; None if there is no such network."""
    return _built(json.dumps(dict(config), sort_keys=True))


@lru_cache(maxsize=32)
def _built(config: str) -> Built | None:
    import torch

    from essmc_core.models.defaults import REGISTRIES
    from essmc_core.weights.random_fills import skip_init

    try:
        with skip_init(), torch.device("meta"):
            made = REGISTRIES["backbones"].build(json.loads(config))
    except (EssmcError, RuntimeError, ValueError, TypeError):
        # Arguments that were read from shapes need not be those of any network.
        return None
    shapes = {key: tuple(value.shape) for key, value in made.state_dict().items()}
    steps = tuple(str([getattr(module, name, None) for name in _STEPS]) for module in made.modules())
    return Built(shapes, int(getattr(made, "num_features", 0)), int(getattr(made, "feature_rank", 0)), steps)

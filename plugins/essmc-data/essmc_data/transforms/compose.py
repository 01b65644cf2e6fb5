"""Transforms one after another, and none at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from essmc_core import TRANSFORMS, Transform
from essmc_data.transforms.base import Item


class Compose:
    """Applies transforms in order.

    Args:
        transforms: transforms, configs or names of such.
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms: list[Callable[[Item], Item]] = [as_transform(transform) for transform in transforms]

    def __call__(self, item: Item) -> Item:
        """Returns a new item."""
        for transform in self.transforms:
            item = transform(item)
        return item

    def __repr__(self) -> str:
        return f"Compose({self.transforms!r})"


class Identity:
    """Returns the item as it is."""

    def __call__(self, item: Item) -> Item:
        """Returns a new item."""
        return item


def as_transform(cfg: Any) -> Callable[[Item], Item]:
    """Returns one callable: a sequence becomes a `Compose`; None and an empty one become `Identity`.

    Args:
        cfg: a callable, a config, a name, or a sequence of those.
    """
    if isinstance(cfg, Sequence) and not isinstance(cfg, str):
        return Compose(cfg) if cfg else Identity()
    if cfg is None:
        return Identity()
    if isinstance(cfg, (str, Mapping)):
        built: Callable[[Item], Item] = TRANSFORMS.build(cfg)
        return built
    if not callable(cfg):
        raise TypeError(f"a transform is a callable, a config or a list of those, got {cfg!r}")
    return cfg  # type: ignore[no-any-return]

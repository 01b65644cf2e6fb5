"""Transforms one after another, and none at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from essmc_core import TRANSFORMS, Transform
from essmc_core.errors import EssmcError, InputError
from essmc_data.errors import PipelineMistake, UnreadableInput
from essmc_data.item import Item, file_of


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
            item = apply_transform(transform, item)
        return item

    def __repr__(self) -> str:
        return f"Compose({self.transforms!r})"


class Identity:
    """Returns the item as it is."""

    def __call__(self, item: Item) -> Item:
        """Returns a new item."""
        return item


def apply_transform(transform: Callable[[Item], Item], item: Item) -> Item:
    """Returns what a transform makes of an item.

    What a transform of a pack cannot take is the item's fault, whichever exception says so. A callable of the user's
    own raises what it raises: it may be mistaken.

    Raises:
        UnreadableInput: a transform of a pack cannot take the item; names its file.
        PipelineMistake: the transforms do not fit together.
    """
    try:
        return transform(item)
    except (UnreadableInput, PipelineMistake):
        raise
    except EssmcError as error:
        if not isinstance(error, InputError):
            raise
        raise UnreadableInput(_about(item, error.message), hint=error.hint) from error
    except Exception as error:
        if isinstance(transform, Compose) or not type(transform).__module__.startswith("essmc_"):
            raise
        message = f"{type(transform).__name__} cannot take it: {type(error).__name__}: {error}"
        raise UnreadableInput(_about(item, message)) from error


def _about(item: Item, message: str) -> str:
    file = file_of(item)
    return message if file in message else f"{file}: {message}"


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

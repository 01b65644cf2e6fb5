"""Turns a torchvision classifier, in place, into a backbone with the uniform backbone interface."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from essmc_core.contract.features import FeatureInfo
from essmc_core.contract.input_tensors import check_backbone_input
from essmc_torchvision.feature_points import FeaturePoint, find_feature_points

Step = tuple[str, nn.Module]


class Trunk(nn.Module):
    """Mixed into a torchvision class: the same modules under the same keys, without the last classification layer.

    A family is a subclass ``class XTrunk(Trunk, torchvision's X)`` that names its modules in the class attributes and,
    where it is more than a chain of modules, overrides `_start`, `_advance`, `_as_map`, `_end` and `_pool`.

    Attributes:
        layout: ``NCHW`` or ``NCTHW``.
        in_chans: channels of the input.
        num_frames: frames of the clips it was built for; None where any number will do, or for images.
        out_channels: size of dimension 1 of the output.
        num_features: width of the features that a head takes.
        feature_rank: dimensions of the output behind the channels.
        pooled: whether ``forward`` returns vectors.
    """

    CHAIN: ClassVar[tuple[str, ...]] = ("features",)
    HEAD: ClassVar[str] = "classifier"
    LAST: ClassVar[str | None] = None
    """Path of the last linear layer; by default the head itself."""
    CHANNELS_LAST: ClassVar[bool] = False
    EVERY_STEP: ClassVar[bool] = False
    """Whether each step is a feature, rather than the last step at each resolution."""
    MIN_SIZE: ClassVar[tuple[int, ...]] = (1, 1)

    layout: ClassVar[str] = "NCHW"
    in_chans: int
    num_frames: int | None
    out_channels: int
    num_features: int
    feature_rank: int
    pooled: bool

    if TYPE_CHECKING:
        # The modules are torchvision's, which has no type information.
        def __getattr__(self, name: str) -> Any: ...

    def adopt(self, pool: bool, in_chans: int) -> None:
        """Drops the last layer, or with ``pool=False`` the whole head, and states the widths."""
        self.in_chans, self.pooled = in_chans, pool
        self.num_frames = None if self.fixed_size is None or self.layout == "NCHW" else self.fixed_size[0]
        self.grad_checkpointing = False
        self._points: tuple[FeaturePoint, ...] | None = None
        width = self._drop_last_layer()
        if not pool:
            setattr(self, self.HEAD, nn.Identity())
            width = self._map_channels(width)
        self.out_channels = self.num_features = width
        self.feature_rank = 0 if pool else len(self.layout) - 2

    @property
    def fixed_size(self) -> tuple[int, ...] | None:
        """The only ([T,] H, W) it takes, None where there is no such limit."""
        return None

    def _drop_last_layer(self) -> int:
        """Takes out the last linear layer and the dropout before it, and returns the layer's input width."""
        owner_path, _, name = (self.LAST or self.HEAD).rpartition(".")
        owner = self.get_submodule(owner_path)
        layer: Any = getattr(owner, name)
        for holder, place in ((owner, str(int(name) - 1) if name.isdigit() else ""), (self, "dropout")):
            if isinstance(getattr(holder, place, None), nn.Dropout):
                setattr(holder, place, nn.Identity())
        setattr(owner, name, nn.Identity())
        return int(layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels)

    def _map_channels(self, width: int) -> int:
        """Returns the channels of the last map, given the width of the pooled features."""
        return width

    def steps(self) -> list[Step]:
        """Returns the modules from input to last map, in order, by path."""
        found: list[Step] = []
        for name in self.CHAIN:
            found.extend(_expand(name, self.get_submodule(name), outermost=True))
        return found

    def _start(self, x: Tensor) -> Any:
        """Returns what the first step takes."""
        return x

    def _advance(self, module: nn.Module, state: Any) -> Any:
        """Runs one step."""
        return module(state)

    def _as_map(self, state: Any) -> Tensor:
        """Returns what a step returned as a map with channels first."""
        features: Tensor = state
        return features.movedim(-1, 1) if self.CHANNELS_LAST else features

    def _end(self, state: Any) -> Any:
        """Finishes what the last step returned, e.g. with the last norm."""
        return state

    def _pool(self, state: Any) -> Tensor:
        """Returns the vectors (N, num_features) of what `_end` returned."""
        pooled: Tensor = self.get_submodule("avgpool")(self._as_map(state)).flatten(1)
        return self._head(pooled)

    def _head(self, pooled: Tensor) -> Tensor:
        """Runs what is left of torchvision's head."""
        vectors: Tensor = getattr(self, self.HEAD)(pooled)
        return vectors

    def run(self, x: Tensor, wanted: Collection[int] = ()) -> tuple[Any, dict[int, Tensor]]:
        """Runs the steps, up to the last wanted one or, where none is wanted, to the end.

        Args:
            x: the input.
            wanted: positions of the steps whose outputs to keep.

        Returns:
            The last state, and position -> map.
        """
        steps = self.steps()
        stop = max(wanted) if wanted else len(steps) - 1
        state = self._start(x)
        maps: dict[int, Tensor] = {}
        for position in range(stop + 1):
            state = self._run(steps[position][1], state)
            if position == len(steps) - 1:
                state = self._end(state)
            if position in wanted:
                maps[position] = self._as_map(state)
        return state, maps

    def _run(self, module: nn.Module, state: Any) -> Any:
        # A block is worth the second computation, a plain layer is not.
        is_block = any(True for _ in module.children())
        if self.grad_checkpointing and self.training and is_block and torch.is_grad_enabled():
            return checkpoint(self._advance, module, state, use_reentrant=False)
        return self._advance(module, state)

    def forward(self, x: Tensor) -> Tensor:
        """Returns vectors (N, num_features), or the last map where the backbone was built with ``pool=False``.

        Raises:
            InputError: another rank, channels or number type, or a size it cannot take.
        """
        self._check(x)
        state, _ = self.run(x)
        return self._pool(state) if self.pooled else self._as_map(state)

    def forward_features(self, x: Tensor, out_indices: Sequence[int] | None = None) -> Tensor | list[Tensor]:
        """Returns the last map, or those of ``feature_info`` at ``out_indices``; see `essmc_core.contract.features`.

        Raises:
            InputError: another rank, channels or number type, or a size it cannot take.
            IndexError: there is no feature of that index.
        """
        self._check(x)
        if out_indices is None:
            return self._as_map(self.run(x)[0])
        positions = [self.feature_points[index].position for index in out_indices]
        maps = self.run(x, positions)[1] if positions else {}
        return [maps[position] for position in positions]

    def _check(self, x: Tensor) -> None:
        native = type(self).__mro__[2].__name__
        sizes = {"min_size": self.MIN_SIZE, "fixed_size": self.fixed_size}
        check_backbone_input(x, self, self.layout, self.in_chans, name=native, **sizes)

    @property
    def feature_points(self) -> tuple[FeaturePoint, ...]:
        """Where features can be taken, found by a dry run on first use."""
        if self._points is None:
            self._points = find_feature_points(self)
        return self._points

    @property
    def feature_info(self) -> list[FeatureInfo]:
        """The maps that ``forward_features(x, out_indices)`` can return: the last one at each resolution."""
        return [point.info for point in self.feature_points]

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Computes the activations inside the blocks again in the backward pass; batch norms then see a batch twice."""
        self.grad_checkpointing = enable


def _expand(path: str, module: nn.Module, outermost: bool = False) -> Iterator[Step]:
    """Yields the blocks of nested containers; a sequence that starts with a plain layer is a block."""
    if isinstance(module, (nn.Sequential, nn.ModuleList)) and (outermost or _is_stage(module)):
        for name, child in module.named_children():
            yield from _expand(f"{path}.{name}", child)
    else:
        yield path, module


def _is_stage(module: nn.Module) -> bool:
    first = next(module.children(), None)
    containers = type(module) in (nn.Sequential, nn.ModuleList) or type(module).__name__ == "AnyStage"
    return containers and first is not None and any(True for _ in first.children())

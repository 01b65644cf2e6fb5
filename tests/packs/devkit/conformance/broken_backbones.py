"""A sound little backbone, and others that differ from it by one fault each; by the check that has to find it."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from essmc_core.contract.features import FeatureInfo
from essmc_core.contract.input_tensors import check_backbone_input


class Sound(nn.Module):
    """Two convolutions: (N, in_chans, H, W) → (N, 8).

    Args:
        in_chans: channels of the input.
    """

    layout = "NCHW"
    num_frames: int | None = None
    out_channels = num_features = 8
    feature_rank = 0
    feature_info: Sequence[FeatureInfo] = (FeatureInfo("stem", 4, 2), FeatureInfo("stage", 8, 4))

    def __init__(self, in_chans: int = 3) -> None:
        super().__init__()
        self.in_chans = in_chans
        self.stem = nn.Sequential(nn.Conv2d(in_chans, 4, 3, 2, 1), nn.BatchNorm2d(4))
        self.stage = nn.Sequential(nn.Conv2d(4, 8, 3, 2, 1), nn.Tanh())
        self.checkpoints = False

    def forward(self, x: Tensor) -> Tensor:
        return self.maps(x)[-1].mean((2, 3))

    def forward_features(self, x: Tensor, out_indices: Sequence[int] | None = None) -> Tensor | list[Tensor]:
        maps = self.maps(x)
        return maps[-1] if out_indices is None else [maps[index] for index in out_indices]

    def maps(self, x: Tensor) -> list[Tensor]:
        check_backbone_input(x, self, self.layout, self.in_chans)
        early = self.stem(x)
        return [early, checkpoint(self.stage, early, use_reentrant=False) if self.checkpoints else self.stage(early)]

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        self.checkpoints = enable


class Crashes(Sound):
    def maps(self, x: Tensor) -> list[Tensor]:
        return [self.stage(x)]


class WrongChannelsStated(Sound):
    feature_info = (FeatureInfo("stem", 5, 2), FeatureInfo("stage", 8, 4))


class WrongReductionStated(Sound):
    feature_info = (FeatureInfo("stem", 4, 2), FeatureInfo("stage", 8, 8))


class WrongWidth(Sound):
    num_features = 16


class WrongRank(Sound):
    feature_rank = 2


class WrongLayout(Sound):
    layout = "NTCHW"

    def maps(self, x: Tensor) -> list[Tensor]:
        check_backbone_input(x, self, "NCHW", self.in_chans)
        early = self.stem(x)
        return [early, self.stage(early)]


class WithoutInterface(Sound):
    set_grad_checkpointing = None  # type: ignore[assignment]

    def __getattribute__(self, name: str) -> object:
        if name == "set_grad_checkpointing":
            raise AttributeError(name)
        return super().__getattribute__(name)


class IndicesFromTheFront(Sound):
    def forward_features(self, x: Tensor, out_indices: Sequence[int] | None = None) -> Tensor | list[Tensor]:
        maps = self.maps(x)
        return maps[-1] if out_indices is None else [maps[abs(index)] for index in out_indices]


class TakesAnyIndex(Sound):
    def forward_features(self, x: Tensor, out_indices: Sequence[int] | None = None) -> Tensor | list[Tensor]:
        maps = self.maps(x)
        return maps[-1] if out_indices is None else [maps[min(index, 1)] for index in out_indices]


class ForgetsChannels(Sound):
    def __init__(self, in_chans: int = 3) -> None:
        super().__init__()
        self.in_chans = in_chans


class FramesOfImages(Sound):
    num_frames = 8


class SeesTheBatch(Sound):
    def forward(self, x: Tensor) -> Tensor:
        found = super().forward(x)
        return found - found.mean(0)


class RandomInEvalMode(Sound):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(super().forward(x), 0.5, training=True)


class ChecksPointWrongly(Sound):
    def maps(self, x: Tensor) -> list[Tensor]:
        early, late = super().maps(x)
        return [early, late.detach() + 0 * late if self.checkpoints else late]


class TakesAnyInput(Sound):
    def maps(self, x: Tensor) -> list[Tensor]:
        x = x.float() if x.ndim == 4 else x.float()[None]
        x = x.flatten(4)[..., 0] if x.ndim > 4 else x
        early = self.stem(x[:, : self.in_chans])
        return [early, self.stage(early)]


class RaisesTorchsErrors(Sound):
    def maps(self, x: Tensor) -> list[Tensor]:
        early = self.stem(x)
        return [early, self.stage(early)]


class NotNumbersWhenSmall(Sound):
    def forward(self, x: Tensor) -> Tensor:
        late = self.maps(x)[-1]
        return late.mean((2, 3)) / (late.shape[2] - 1) * (late.shape[2] - 1)


class RefusesOddSizes(Sound):
    def maps(self, x: Tensor) -> list[Tensor]:
        found = super().maps(x)
        x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2)
        return found


class SharesItsCopy(Sound):
    def __deepcopy__(self, memo: dict[int, object]) -> SharesItsCopy:
        return self


class HoldsALambda(Sound):
    def __init__(self, in_chans: int = 3) -> None:
        super().__init__(in_chans)
        self.twice = lambda x: 2 * x


class ForgetsWhenPickled(Sound):
    scale = 1.0

    def __init__(self, in_chans: int = 3) -> None:
        super().__init__(in_chans)
        self.scale = 3.0

    def __getstate__(self) -> dict[str, object]:
        return {key: value for key, value in self.__dict__.items() if key != "scale"}

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * super().forward(x)


class MakesLayersLater(Sound):
    def forward(self, x: Tensor) -> Tensor:
        if not hasattr(self, "late"):
            self.late = nn.Linear(8, 8)
        found: Tensor = self.late(super().forward(x))
        return found


class RandomName(Sound):
    def __init__(self, in_chans: int = 3) -> None:
        super().__init__(in_chans)
        self.register_buffer(f"table{random.random()}".replace(".", ""), torch.zeros(1))


class RandomOutsideTheState(Sound):
    def __init__(self, in_chans: int = 3) -> None:
        super().__init__(in_chans)
        self.register_buffer("offset", torch.randn(8), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.offset  # type: ignore[operator]


class BranchesOnValues(Sound):
    def forward(self, x: Tensor) -> Tensor:
        found = super().forward(x)
        return found if float(x.sum()) > 0 else -found


class TakesOneBatch(Sound):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * torch.ones(int(x.shape[0]), 1).reshape(-1, 1).tolist()[0][0] * _three(x)


def _three(x: Tensor) -> float:
    return 1.0 if torch.jit.is_tracing() or x.shape[0] != 3 else 2.0  # type: ignore[attr-defined,no-untyped-call]


FAULTS = {
    Crashes: "component.runs",
    WrongChannelsStated: "backbone.feature-info",
    WrongReductionStated: "backbone.feature-info",
    WrongWidth: "backbone.output",
    WrongRank: "backbone.output",
    WrongLayout: "backbone.layout",
    WithoutInterface: "backbone.interface",
    IndicesFromTheFront: "backbone.forward-features",
    TakesAnyIndex: "backbone.forward-features",
    ForgetsChannels: "backbone.in-chans",
    FramesOfImages: "backbone.num-frames",
    SeesTheBatch: "backbone.batch",
    RandomInEvalMode: "backbone.batch",
    ChecksPointWrongly: "backbone.checkpointing",
    TakesAnyInput: "refusals.channels",
    RaisesTorchsErrors: "refusals.rank",
    NotNumbersWhenSmall: "refusals.too-small",
    RefusesOddSizes: "refusals.odd-size",
    SharesItsCopy: "copying.deepcopy",
    HoldsALambda: "copying.pickle",
    ForgetsWhenPickled: "copying.pickle",
    MakesLayersLater: "state-dict.keys",
    RandomName: "state-dict.keys",
    RandomOutsideTheState: "state-dict.round-trip",
    BranchesOnValues: "exporting.trace",
    TakesOneBatch: "exporting.export",
}

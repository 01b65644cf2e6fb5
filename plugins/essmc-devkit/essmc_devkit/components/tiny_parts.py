"""Small parts that a component under check is built with: a backbone and a head, whatever packs are installed."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from essmc_core.contract.features import FeatureInfo
from essmc_core.contract.input_tensors import check_backbone_input


class TinyBackbone(nn.Module):
    """Two convolutions with the whole backbone interface.

    (N, 3, H, W) → (N, 8), or (N, 3, T, H, W) → (N, 8).

    Args:
        layout: ``NCHW`` or ``NCTHW``.
    """

    num_frames = None
    in_chans = 3
    out_channels = num_features = 8
    feature_rank = 0

    def __init__(self, layout: str = "NCHW") -> None:
        super().__init__()
        self.layout = layout
        self.checkpoints = False
        convolution = nn.Conv3d if layout == "NCTHW" else nn.Conv2d
        stride = (1, 2, 2) if layout == "NCTHW" else 2
        self.stem: nn.Module = convolution(3, 4, 3, stride=stride, padding=1)  # type: ignore[arg-type]
        self.stage: nn.Module = nn.Sequential(  # its activation is what checkpointing saves
            convolution(4, 8, 3, stride=stride, padding=1),  # type: ignore[arg-type]
            nn.Tanh(),
        )
        self.feature_info = (FeatureInfo("stem", 4, 2), FeatureInfo("stage", 8, 4))

    def forward(self, x: Tensor) -> Tensor:
        """Returns vectors (N, 8)."""
        features = self.forward_features(x)
        assert isinstance(features, Tensor)
        return features.flatten(2).mean(2)

    def forward_features(self, x: Tensor, out_indices: Sequence[int] | None = None) -> Tensor | list[Tensor]:
        """Returns the last map, or those at ``out_indices``."""
        check_backbone_input(x, self, self.layout, self.in_chans)
        early = self.stem(x).relu()
        late = checkpoint(self.stage, early, use_reentrant=False) if self.checkpoints else self.stage(early)
        maps = (early, late)
        return maps[-1] if out_indices is None else [maps[index] for index in out_indices]

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Lets the last layer compute its input again."""
        self.checkpoints = enable


class TinyHead(nn.Module):
    """A linear layer: (N, 8) → (N, num_classes).

    Args:
        num_classes: classes.
    """

    def __init__(self, num_classes: int = 5) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.linear = nn.Linear(8, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Returns raw scores (N, num_classes)."""
        scores: Tensor = self.linear(features)
        return scores

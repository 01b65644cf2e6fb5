"""Head of MoSI's pretext task: which motion was given to a still image."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from essmc_core import FeatureDim
from essmc_core.contract.heads import check_head_arguments
from essmc_core.contract.recording import is_tracing
from essmc_core.errors import ConfigError, InputError


class MoSIHead(nn.Module):
    """Dropout, then one linear layer for the motion, or one per axis: (N, dim) → (N, num_classes).

    Huang et al., "Self-supervised Motion Learning from Static Images", CVPR 2021.

    Args:
        dim: width of the features; that of the backbone, if not given.
        num_classes: number of motions, for joint labels: the layer is ``out_joint``. Or the numbers of speeds along x
            and along y, for separate labels: the layers are ``out_x`` and ``out_y``, and a pair is returned.
        dropout_rate: chance of dropping a feature, in [0, 1].

    Raises:
        ConfigError: ``num_classes`` is neither one number above 0 nor two, or a chance is outside [0, 1].
    """

    def __init__(self, dim: FeatureDim, num_classes: int | Sequence[int], dropout_rate: float = 0.5) -> None:
        super().__init__()
        self.dim = dim
        self.num_classes = num_classes if isinstance(num_classes, int) else tuple(num_classes)
        check_head_arguments(
            self, (num_classes,) if isinstance(num_classes, int) else num_classes or (0,), dropout_rate
        )
        self.dropout = nn.Dropout(dropout_rate)
        if isinstance(self.num_classes, int):
            self.out_joint = nn.Linear(dim, self.num_classes)
        elif len(self.num_classes) == 2:
            self.out_x = nn.Linear(dim, self.num_classes[0])
            self.out_y = nn.Linear(dim, self.num_classes[1])
        else:
            raise ConfigError(
                f"MoSIHead classifies motions, or speeds along x and y, got num_classes={num_classes}",
                hint="give one number for joint labels, two for separate ones",
            )

    def forward(self, features: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Returns raw scores (N, num_classes), or those of x and of y."""
        # While a model is traced only the rank is known as a number.
        if features.ndim != 2 or not (is_tracing() or features.shape[1] == self.dim):
            raise InputError(
                f"MoSIHead takes features of shape (N, {self.dim}), got {tuple(features.shape)}",
                hint="pool them with the neck GlobalAveragePooling" if features.ndim > 2 else "set the head's dim",
            )
        features = self.dropout(features)
        if isinstance(self.num_classes, int):
            joint: Tensor = self.out_joint(features)
            return joint
        return self.out_x(features), self.out_y(features)

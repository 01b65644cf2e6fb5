"""A model of one convolution and a linear layer."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from essmc_core import TrainModule
from essmc_core.contract.annotations import PositiveInt


class SoundModel(TrainModule):
    """Pictures (N, in_chans, H, W) to probabilities (N, num_classes); with labels (N,) to a dict.

    Args:
        num_classes: number of classes.
        width: channels of the convolution.
        in_chans: channels of the pictures.
    """

    def __init__(self, num_classes: PositiveInt, width: PositiveInt = 8, in_chans: PositiveInt = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_chans, width, 3, stride=2, padding=1)
        self.fc = nn.Linear(width, num_classes)

    def forward(self, img: Tensor, gt_label: Tensor | None = None, **named_inputs: Any) -> Any:
        """Runs in train or in eval mode."""
        return super().forward(img, gt_label, **named_inputs)

    def forward_train(self, img: Tensor, gt_label: Tensor | None = None, meta: Any = None) -> Tensor | dict[str, Any]:
        """Returns a dict of loss, batch_size and acc@1, or probabilities where there are no labels."""
        scores = self._scores(img)
        if gt_label is None:
            return scores.softmax(1)
        return {"batch_size": img.shape[0], **self._measure(scores, gt_label)}

    def forward_test(self, img: Tensor, gt_label: Tensor | None = None, meta: Any = None) -> Tensor | dict[str, Any]:
        """Returns probabilities, or a dict of them and of metrics."""
        scores = self._scores(img)
        if gt_label is None:
            return scores.softmax(1)
        return {"logits": scores.softmax(1), "batch_size": img.shape[0], **self._measure(scores, gt_label)}

    def _scores(self, img: Tensor) -> Tensor:
        scores: Tensor = self.fc(self.conv(img).relu().mean((2, 3)))
        return scores

    def _measure(self, scores: Tensor, gt_label: Tensor) -> dict[str, Tensor]:
        correct = scores.detach().argmax(1) == gt_label
        return {"loss": functional.cross_entropy(scores, gt_label), "acc@1": correct.float().mean()}

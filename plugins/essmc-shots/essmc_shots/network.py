"""TransNet V2 (Souček and Lokoč, 2020): for each frame of a clip, the probability that a shot ends there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from essmc_core import TrainModule
from essmc_core.contract.annotations import PositiveInt
from essmc_core.contract.input_tensors import check_backbone_input
from essmc_core.errors import ConfigError, InputError
from essmc_shots.dilated import DILATIONS, DilatedStack
from essmc_shots.similarity import ColourSimilarity, FrameSimilarity


class TransNetV2(TrainModule):
    """Finds transitions between shots: ``model(video)`` or ``model(video, gt_label)``.

    ``video`` is (N, 3, T, H, W): whole frames squeezed to the size, RGB from 0 to 255, as uint8 or floating point.
    Trained networks look at 100 frames at a time, and the 25 at either end lack context.

    A clip alone gives a dict, in either mode: ``logits`` (N, T), the *probability* that a frame is the middle of a
    transition (of a cut: the last frame before it), and ``many_hot`` (N, T), that it is any frame of one. With labels
    eval mode adds ``batch_size``, ``loss``, and ``precision`` and ``recall`` over frames at a probability of 0.5; train
    mode gives these four alone.

    Keys are those of the published weights.

    Args:
        filters: channels of the first stack's convolutions; each stack has twice as many as the one before.
        stacks: how many stacks there are.
        blocks: blocks of a stack.
        hidden: size of the layer before the outputs.
        window: frames that each frame is compared with, itself included; an odd number.
        similarity_dim: size of the vectors by which frames are compared, and of what is made of the comparisons.
        size: height and width of the frames.
        dropout_rate: share of the hidden layer that is left out in training.
        transition_weight: how much more a frame of a transition counts in the loss of ``logits`` than another.
        many_hot_weight: weight of the loss of ``many_hot``.

    Raises:
        ConfigError: an even window, or frames that are too small for the stacks.
    """

    def __init__(
        self,
        filters: PositiveInt = 16,
        stacks: PositiveInt = 3,
        blocks: PositiveInt = 2,
        hidden: PositiveInt = 1024,
        window: PositiveInt = 101,
        similarity_dim: PositiveInt = 128,
        size: Sequence[PositiveInt] = (27, 48),
        dropout_rate: float = 0.5,
        transition_weight: float = 5.0,
        many_hot_weight: float = 0.1,
    ) -> None:
        super().__init__()
        if window % 2 == 0:
            raise ConfigError(f"window is {window}: an odd number has a frame in its middle")
        height, width = size
        cells = (height >> stacks) * (width >> stacks)
        if not cells:
            raise ConfigError(f"frames of {height}x{width} cannot be halved by each of {stacks} stacks")
        widths = [len(DILATIONS) * filters * 2**stack for stack in range(stacks)]
        self.SDDCNN = nn.ModuleList(
            DilatedStack(before, filters * 2**stack, blocks) for stack, before in enumerate([3, *widths[:-1]])
        )
        self.frame_sim_layer = FrameSimilarity(sum(widths), similarity_dim, window, similarity_dim)
        self.color_hist_layer = ColourSimilarity(window, similarity_dim)
        self.fc1 = nn.Linear(cells * widths[-1] + 2 * similarity_dim, hidden)
        self.cls_layer1 = nn.Linear(hidden, 1)
        self.cls_layer2 = nn.Linear(hidden, 1)
        self.dropout = nn.Dropout(dropout_rate)
        self.size = (height, width)
        self.transition_weight = transition_weight
        self.many_hot_weight = many_hot_weight

    # Named inputs, so that torch.export can be told which of them is dynamic.
    def forward(self, video: Tensor, gt_label: Tensor | None = None, **named_inputs: Any) -> Any:
        """Runs `forward_train` or `forward_test`, as ``self.training`` says."""
        return super().forward(video, gt_label, **named_inputs)

    def forward_train(self, video: Tensor, gt_label: Tensor | None = None, meta: Any = None) -> dict[str, Any]:
        """Runs in train mode.

        Args:
            video: (N, 3, T, H, W), values from 0 to 255.
            gt_label: 1 or true for frames of transitions: (N, 2, T), the middle ones, then all; or (N, T) of cuts, for
                which these are the same.
            meta: what else a batch says of its items; not used.

        Raises:
            InputError: the clip or the labels have another shape.
        """
        scores = self.raw_scores(video)
        if gt_label is None:
            return _probabilities(scores)
        return {"batch_size": len(video), **self._measure(scores, gt_label)}

    def forward_test(self, video: Tensor, gt_label: Tensor | None = None, meta: Any = None) -> dict[str, Any]:
        """Runs in eval mode; arguments as in train mode."""
        scores = self.raw_scores(video)
        found = _probabilities(scores)
        if gt_label is None:
            return found
        return {**found, "batch_size": len(video), **self._measure(scores, gt_label)}

    def raw_scores(self, video: Tensor) -> tuple[Tensor, Tensor]:
        """Returns both outputs before the activation, (N, T) each."""
        if isinstance(video, Tensor) and video.dtype == torch.uint8:
            video = video.to(self.fc1.weight.dtype)
        self._check(video)
        features, stacks = video / 255, []
        for stack in self.SDDCNN:
            features = stack(features)
            stacks.append(features)
        by_frame = features.permute(0, 2, 3, 4, 1).flatten(2)
        joined = torch.cat([self.color_hist_layer(video), self.frame_sim_layer(stacks), by_frame], dim=2)
        hidden = self.dropout(functional.relu(self.fc1(joined)))
        return self.cls_layer1(hidden).squeeze(2), self.cls_layer2(hidden).squeeze(2)

    def _check(self, video: Tensor) -> None:
        frames = video.shape[2] if isinstance(video, Tensor) and video.ndim == 5 else 100
        check_backbone_input(video, self, "NCTHW", 3, fixed_size=(frames, *self.size))

    def _measure(self, scores: tuple[Tensor, Tensor], labels: Tensor) -> dict[str, Any]:
        middle, every = self._targets(scores, labels)
        weight = scores[0].new_tensor(self.transition_weight)
        loss = functional.binary_cross_entropy_with_logits(scores[0], middle, pos_weight=weight)
        loss = loss + self.many_hot_weight * functional.binary_cross_entropy_with_logits(scores[1], every)
        found, there = scores[0].detach() > 0, middle > 0.5
        counted = {"precision": found.sum(), "recall": there.sum()}
        hits = (found & there).sum()
        outputs: dict[str, Any] = {"loss": loss}
        outputs |= {name: hits / count.clamp(min=1) for name, count in counted.items()}
        return {**outputs, "normalizers": counted} if self.tells_normalizers else outputs

    def _targets(self, scores: tuple[Tensor, Tensor], labels: Tensor) -> tuple[Tensor, Tensor]:
        shape = tuple(scores[0].shape)
        if tuple(labels.shape) == shape:
            labels = labels[:, None].expand(-1, 2, -1)
        if tuple(labels.shape) != (shape[0], 2, *shape[1:]):
            raise InputError(
                f"TransNetV2 takes labels of shape (N, T) or (N, 2, T), here {shape}, got {tuple(labels.shape)}"
            )
        middle, every = labels.to(scores[0].dtype).unbind(1)
        return middle, every


def _probabilities(scores: tuple[Tensor, Tensor]) -> dict[str, Any]:
    return {"logits": scores[0].sigmoid(), "many_hot": scores[1].sigmoid()}

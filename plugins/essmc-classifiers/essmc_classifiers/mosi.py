"""MoSI's pretext task: a network learns motion from still images by telling which motion each was given."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from essmc_classifiers.base import BaseClassifier
from essmc_core import Backbone, Head, Loss, Neck
from essmc_core.contract.annotations import PositiveInt
from essmc_core.errors import ConfigError, InputError

Labels: TypeAlias = Tensor | Mapping[str, Tensor]
"""Labels as one tensor, or as ``MoSIGenerator`` names them: ``move_joint``, or ``move_x`` and ``move_y``."""
TASKS = {"joint": ("",), "separate": ("_x", "_y")}


class MoSINet(BaseClassifier):
    """Classifier of the motions of generated clips: ``model(video)`` or ``model(video, mosi_label)``.

    Huang et al., "Self-supervised Motion Learning from Static Images", CVPR 2021.

    Every item of the batch brings n clips, (N, n, C, T, H, W), all of which are classified, so that outputs have N · n
    rows. In eval mode the clips alone give probabilities (N · n, K); with labels, a dict of ``logits``, ``batch_size``
    (N · n), ``loss`` and ``acc@k``. In train mode labels give a dict of ``loss``, ``batch_size`` and ``acc@k``;
    without, probabilities. The key ``logits`` holds *probabilities*, after the softmax.

    With separate labels, for x and y, eval mode gives a dict of ``logits_x`` and ``logits_y``, accuracies are
    ``acc_x@k`` and ``acc_y@k``, and the loss is the sum of both.

    Args:
        backbone: from clips to features.
        neck: from features to what the head takes; passes them on if None.
        head: from features to raw scores, e.g. ``MoSIHead``. With separate labels a head of two numbers of classes
            gives both (parameters ``head.out_x``, ``head.out_y``); one number makes two heads of it, ``head_x`` and
            ``head_y`` (``head_x.out_joint``, ``head_y.out_joint``), as EssentialMC2 has them.
        loss: of raw scores and labels; ``CrossEntropy`` by default.
        label_mode: ``joint``, one label per motion, or ``separate``, one for the speed along x and one for y.
        freeze_bn: keep statistics, scale and shift of all batch norms as they are, in train mode too.
        topk: the k of the accuracies.

    Raises:
        ConfigError: unknown ``label_mode``, or one that does not go with the head's ``num_classes``.
    """

    def __init__(
        self,
        backbone: Backbone,
        neck: Neck | None,
        head: Head,
        loss: Loss | None = None,
        label_mode: Literal["joint", "separate"] = "joint",
        freeze_bn: bool = False,
        topk: Sequence[PositiveInt] = (1,),
    ) -> None:
        if label_mode not in TASKS:
            raise ConfigError(f"label_mode is 'joint' or 'separate', got {label_mode!r}")
        super().__init__(backbone, neck, head, loss, topk=topk, freeze_bn=freeze_bn)
        self.label_mode = label_mode
        num_classes = getattr(self.head, "num_classes", None)
        if label_mode == "separate" and isinstance(num_classes, int):
            self._double_head()
        elif label_mode == "joint" and num_classes is not None and not isinstance(num_classes, int):
            raise ConfigError(
                f"label_mode {label_mode!r} does not go with a head of num_classes={num_classes}",
                hint="give the head one number for joint labels, one or two for separate ones",
            )

    def _double_head(self) -> None:
        """Makes two heads, with values of their own, of one that has a single number of classes."""
        self.head_x = self.head
        self.head_y = copy.deepcopy(self.head)
        del self.head
        for module in self.head_y.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()

    def raw_scores(self, inputs: Tensor) -> Any:
        """Returns what the head, or both heads, return, before the activation."""
        if "head_x" not in self._modules:
            return super().raw_scores(inputs)
        features = self.neck(self.backbone(inputs))
        return self.head_x(features), self.head_y(features)

    def forward_train(
        self, video: Tensor, mosi_label: Labels | None = None, gt_label: Labels | None = None, meta: Any = None
    ) -> Tensor | dict[str, Any]:
        """Runs in train mode.

        Args:
            video: (N, n, C, T, H, W).
            mosi_label: motions (N, n) or (N · n,); for separate labels with a last dimension of 2, x before y. Or what
                ``MoSIGenerator`` makes of a batch: a dict of ``move_joint``, or of ``move_x`` and ``move_y``.
            gt_label: the same under its common name; not used where ``mosi_label`` is given.
            meta: what else a batch says of its items; not used.

        Raises:
            InputError: clips or labels of another shape.
        """
        labels = gt_label if mosi_label is None else mosi_label
        clips = _flat_clips(video)
        scores = self._scores(clips)
        if labels is None:
            return self._probabilities(scores)
        return {"batch_size": clips.shape[0], **self._measure(scores, self._targets(scores, labels))}

    def forward_test(
        self, video: Tensor, mosi_label: Labels | None = None, gt_label: Labels | None = None, meta: Any = None
    ) -> Tensor | dict[str, Any]:
        """Runs in eval mode; arguments as in train mode."""
        labels = gt_label if mosi_label is None else mosi_label
        clips = _flat_clips(video)
        scores = self._scores(clips)
        outputs = self._probabilities(scores)
        if labels is None:
            return outputs
        named = {"logits": outputs} if isinstance(outputs, Tensor) else outputs
        return {**named, "batch_size": clips.shape[0], **self._measure(scores, self._targets(scores, labels))}

    def _scores(self, clips: Tensor) -> Sequence[Tensor]:
        scores = self.raw_scores(clips)
        return (scores,) if isinstance(scores, Tensor) else tuple(scores)

    def _probabilities(self, scores: Sequence[Tensor]) -> Tensor | dict[str, Tensor]:
        if self.label_mode == "joint":
            return self.activate(scores[0])
        return {f"logits{task}": self.activate(one) for task, one in zip(TASKS["separate"], scores, strict=True)}

    def _targets(self, scores: Sequence[Tensor], labels: Labels) -> Sequence[Tensor]:
        targets = self._split(labels)
        for score, target in zip(scores, targets, strict=True):
            self.check_labels(score, target)
        return targets

    def _split(self, labels: Labels) -> Sequence[Tensor]:
        if isinstance(labels, Mapping):
            labels = self._as_tensor(labels)
        if self.label_mode == "joint":
            return (labels.flatten(),)
        if labels.ndim < 2 or labels.shape[-1] != 2:
            raise InputError(f"separate labels end with a dimension of 2, x and y, got shape {tuple(labels.shape)}")
        return labels.flatten(0, -2).unbind(1)

    def _as_tensor(self, labels: Mapping[str, Tensor]) -> Tensor:
        names = ["move_joint"] if self.label_mode == "joint" else ["move_x", "move_y"]
        if sorted(labels) != names:
            raise InputError(
                f"label_mode {self.label_mode!r} takes labels {' and '.join(names)}, got {', '.join(sorted(labels))}",
                hint="give MoSIGenerator and MoSINet the same label_mode",
            )
        return labels["move_joint"] if self.label_mode == "joint" else torch.stack([labels[n] for n in names], -1)

    def _measure(self, scores: Sequence[Tensor], targets: Sequence[Tensor]) -> dict[str, Any]:
        return self.measure(scores, targets, TASKS[self.label_mode])


def _flat_clips(video: Tensor) -> Tensor:
    if video.ndim != 6:
        raise InputError(
            f"MoSINet takes n clips per item, (N, n, C, T, H, W), got shape {tuple(video.shape)}",
            hint="one clip per item: video.unsqueeze(1)" if video.ndim == 5 else "",
        )
    return video.flatten(0, 1)

"""Key maps of pytorchvideo's SlowFast, for whole classifiers, both ways."""

from __future__ import annotations

from essmc_video.key_maps.pytorchvideo_blocks import KeyMap, blocks, whole
from essmc_video.key_maps.pytorchvideo_resnet import LAYERS

_PATHS = (("0", "slow"), ("1", "fast"))
_STEMS = tuple(
    (f"blocks.0.multipathway_blocks.{number}.{theirs}", f"backbone.{path}_conv1.{ours}")
    for number, path in _PATHS
    for theirs, ours in (("conv", "a"), ("norm", "a_bn"))
)
_STAGES = tuple(
    (f"blocks.{index}.multipathway_blocks.{number}", f"backbone.{path}_conv{index + 1}")
    for index in range(1, 5)
    for number, path in _PATHS
)
_FUSIONS = tuple(
    (f"blocks.{index}.multipathway_fusion.{theirs}", f"backbone.slowfast_fusion{index + 1}.{ours}")
    for index in range(4)
    for theirs, ours in (("conv_fast_to_slow", "conv_fast_to_slow"), ("norm", "bn"))
)
_FRONTS = (*_STEMS, *_STAGES, *_FUSIONS, ("blocks.6.proj", "head.out"))
_INSIDE, _INSIDE_BACK = blocks(LAYERS)

TO_OURS: KeyMap = (*(whole(theirs, ours) for theirs, ours in _FRONTS), *_INSIDE)
TO_THEIRS: KeyMap = (*(whole(ours, theirs) for theirs, ours in _FRONTS), *_INSIDE_BACK)

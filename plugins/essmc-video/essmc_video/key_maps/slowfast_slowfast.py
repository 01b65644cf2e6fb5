"""Key maps of PySlowFast's SlowFast, for whole classifiers, both ways."""

from __future__ import annotations

from essmc_video.key_maps.slowfast_blocks import network

_STEMS = tuple(
    (f"s1.pathway{number}_stem.{theirs}", f"backbone.{path}_conv1.{ours}")
    for number, path in enumerate(("slow", "fast"))
    for theirs, ours in (("conv", "a"), ("bn", "a_bn"))
)
_FUSIONS = tuple(
    (f"s{stage}_fuse.{theirs}", f"backbone.slowfast_fusion{stage}.{ours}")
    for stage in range(1, 5)
    for theirs, ours in (("conv_f2s", "conv_fast_to_slow"), ("bn", "bn"))
)

TO_OURS, TO_THEIRS = network((*_STEMS, *_FUSIONS, ("head.projection", "head.out")), ("slow_conv", "fast_conv"))

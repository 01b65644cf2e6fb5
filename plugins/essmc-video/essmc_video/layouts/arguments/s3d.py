"""Arguments of S3D and S3D-G."""

from __future__ import annotations

from collections.abc import Iterator

from essmc_core.weights.layouts.layout import Shapes
from essmc_video.layouts.arguments.shared import Config, without_defaults


def separable_inception(shapes: Shapes) -> Iterator[Config]:
    """Yields the configurations that may have these names and shapes; the two without gates differ in their norms."""
    channels = without_defaults({"in_chans": shapes["block1.0.conv1.weight"][1]}, {"in_chans": 3})
    if any(".gating_b0." in key for key in shapes):
        yield {"type": "S3DG", **channels}
    else:
        yield {"type": "S3D", **channels}
        yield {"type": "S3DG", "gating": False, **channels}

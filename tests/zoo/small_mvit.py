"""torchvision's MViTs in small: their functions admit neither another size nor fewer blocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from torchvision.models.video import mvit


@contextmanager
def small_torchvision_mvit() -> Iterator[None]:
    """Inside, they are built for clips of 4 x 64 x 64 with the first four blocks, in which widths double twice."""
    whole = mvit._mvit

    def small(*, block_setting: list[Any], **others: Any) -> Any:
        return whole(block_setting=block_setting[:4], **{**others, "spatial_size": (64, 64), "temporal_size": 4})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mvit, "_mvit", small)
        yield

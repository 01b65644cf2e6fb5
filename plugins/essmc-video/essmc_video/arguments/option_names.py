"""Names that mappings of further arguments may have, so that the check of configurations knows them."""

from __future__ import annotations

from typing import Literal, TypeAlias

BatchNormArgument: TypeAlias = Literal["eps", "momentum", "affine", "track_running_stats"]
"""What `torch.nn.BatchNorm3d` takes beside the number of features."""
InitArgument: TypeAlias = Literal["name", "zero_init_final_bn"]
"""What `initialize` takes."""

"""What a command imports: torchvision and timm take as long to import as torch, and serve few of them."""

from __future__ import annotations

import pytest

BUILT = """
import json, sys
from essmc_core import BACKBONES
import essmc_data.loading.loader, essmc_solvers.solvers.training
BACKBONES.build({"type": "ViVit", "image_size": 32, "num_frames": 4, "depth": 1, "drop_path": 0.0})
print(json.dumps([name for name in ("torch", "timm", "torchvision", "sklearn", "matplotlib") if name in sys.modules]))
"""


@pytest.mark.slow
def test_networks_loaders_and_solvers_do_without_other_libraries_of_vision(python):
    assert python.json(BUILT) == ["torch"]

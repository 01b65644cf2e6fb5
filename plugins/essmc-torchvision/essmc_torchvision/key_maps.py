"""Key maps between torchvision's checkpoints and essmc's classifiers, both ways."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping

from torch import Tensor

from essmc_core.weights.state_dict import map_keys
from essmc_torchvision.last_layers import KeyMap, from_torchvision, last_layer

__all__ = ["export_state_dict", "from_torchvision", "last_layer", "to_torchvision"]


def to_torchvision(model_name: str, head: str = "head.fc") -> KeyMap:
    """Returns the key map from essmc's classifier to torchvision's model; arguments as for `from_torchvision`."""
    return [(f"^{re.escape(head)}\\.", f"{last_layer(model_name)}."), (r"^backbone\.", "")]


def export_state_dict(state_dict: Mapping[str, Tensor], model_name: str, head: str = "head.fc") -> dict[str, Tensor]:
    """Returns the state dict of an essmc classifier as torchvision's own model loads it.

    Args:
        state_dict: of a classifier whose backbone is ``torchvision/<model_name>``.
        model_name: torchvision's name of the model.
        head: path of the linear layer.
    """
    exported = OrderedDict(map_keys(state_dict, tuple(to_torchvision(model_name, head))))
    if model_name.startswith("s3d"):
        # torchvision's last layer is a convolution over single places.
        weight = f"{last_layer(model_name)}.weight"
        exported[weight] = exported[weight][..., None, None, None]
    # torchvision's MNASNets refuse weights without a version.
    vars(exported)["_metadata"] = {"": {"version": 2}}
    return exported

"""Arguments that configurations of EssentialMC2 may state: the drawing of features, which never came to be there."""

from __future__ import annotations

_HINT = "leave it out: features are drawn by nothing, forward_features(x, out_indices) returns them"
OF_BACKBONES = {"visual_cfg": (None, _HINT)}
OF_BRICKS = {"visualize": (False, _HINT), "visualize_output_dir": ("", _HINT)}

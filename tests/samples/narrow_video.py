"""Arguments of narrow video networks, and the names of the families that take the same."""

from __future__ import annotations

from typing import Any

MVIT: dict[str, Any] = {
    "spatial_size": 32,
    "temporal_size": 4,
    "depth": 3,
    "patch_embed_dim": 16,
    "embed_dim_mul": [[1, 2.0], [2, 2.0]],
    "atten_head_mul": [[1, 2.0]],
    "pool_q_stride_size": [[1, 1, 2, 2]],
    "pool_kv_stride_adaptive": [1, 4, 4],
    "pool_kvq_kernel": [3, 3, 3],
}
TRANSFORMER: dict[str, Any] = {
    "image_size": 32, "num_frames": 4, "num_features": 24, "depth": 3, "branch_cfg": {"num_heads": 4},
}  # fmt: skip
TRANSFORMERS = (
    "Transformer",
    "FactorizedTransformer",
    "ViVit",
    "ViVit_Fac_Enc",
    "ViVit_Fac_Attn",
    "ViVit_Fac_Dot",
    "Timesformer",
    "Timesformer_Joint",
    "Timesformer_Space",
)

"""Lower precision by autocast, with outputs in float32."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from essmc_core.contract.engine import Precision, Run

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocasting(run: Run, device: torch.device, precision: Precision) -> Run:
    """Returns a function that runs in lower precision where PyTorch considers that safe."""
    if precision not in DTYPES:
        return run

    def in_lower_precision(inputs: Tensor) -> Tensor | Mapping[str, Tensor]:
        with torch.autocast(device.type, dtype=DTYPES[precision]):
            outputs = run(inputs)
        if isinstance(outputs, Mapping):
            return {key: value.float() for key, value in outputs.items()}
        return outputs.float()

    return in_lower_precision

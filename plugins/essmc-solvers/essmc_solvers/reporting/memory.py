"""How much memory a run takes."""

from __future__ import annotations

import sys

import torch


def memory_bytes(device: torch.device) -> int:
    """Returns the largest amount allocated on an accelerator so far, or the process's largest size on a CPU."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    if device.type == "mps":
        return int(torch.mps.driver_allocated_memory())
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)

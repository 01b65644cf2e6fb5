"""Selects a device by name and checks that it exists."""

from __future__ import annotations

import torch

from essmc_core.errors import ConfigError


def find_device(name: str) -> torch.device:
    """Returns a device of this machine.

    Args:
        name: ``auto`` for the fastest available, or ``cpu``, ``cuda``, ``mps``, or one of several, e.g. ``cuda:1``.

    Raises:
        ConfigError: there is no such kind of device, or this machine has none.
    """
    there = {"cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
             "mps": int(torch.backends.mps.is_available()), "cpu": 1}  # fmt: skip
    if name == "auto":
        return torch.device(next(kind for kind, count in there.items() if count))
    kind, _, index = name.partition(":")
    if kind not in there or (":" in name and not index.isdecimal()):
        raise ConfigError(f"device is 'auto', 'cpu', 'cuda' or 'mps', got {name!r}")
    if int(index or 0) >= there[kind]:
        raise ConfigError(f"device {name!r} is not available on this machine", hint="device=auto takes what is there")
    return torch.device(name)

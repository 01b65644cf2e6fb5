"""What the arguments of a lift must be; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Sequence

from essmc_core.building.rules import rule_check
from essmc_core.errors import ConfigError

MODES = ("tsn", "tsm", "tada", "inflate")


def check_arguments(
    mode: str,
    num_frames: int | None,
    shift_div: int,
    shift_every: int | None,
    route_ratio: int,
    route_kernels: Sequence[int],
    temporal_kernel: int,
    inflation: str,
) -> None:
    """Refuses arguments of `Lift2D` that no image backbone could be lifted by.

    Raises:
        ConfigError: names what is wrong.
    """
    if mode not in MODES:
        raise ConfigError(f"mode is one of {', '.join(MODES)}, got {mode!r}")
    if inflation not in ("average", "centre"):
        raise ConfigError(f"inflation is 'average' or 'centre', got {inflation!r}")
    if num_frames is not None and num_frames < 1:
        raise ConfigError(f"clips have at least one frame, got num_frames={num_frames}")
    if shift_div < 2 or (shift_every is not None and shift_every < 1):
        raise ConfigError(f"shift_div is 2 or more and shift_every 1 or more, got {shift_div} and {shift_every}")
    if route_ratio < 1:
        raise ConfigError(f"route_ratio is 1 or more, got {route_ratio}")
    kernels = (temporal_kernel, *route_kernels)
    if len(route_kernels) != 2 or any(size < 1 or size % 2 == 0 for size in kernels):
        raise ConfigError(
            f"kernels over time are odd, and a calibration has two; "
            f"got temporal_kernel={temporal_kernel} and route_kernels={tuple(route_kernels)}"
        )


check_lift = rule_check(check_arguments)

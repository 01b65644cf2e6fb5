"""Which way up a player shows a frame: its display matrix, one of eight turns and mirrorings."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from essmc_core.inputs.video.reader import Frame

_STORED = (True, 1, 1)
Orientation = tuple[bool, int, int]
"""Whether rows become rows, then the directions of columns and rows: -1 mirrors."""


def orientation_of(frame: Any) -> Orientation:
    """Reads the display matrix of PyAV's frame."""
    data = frame.side_data.get("DISPLAYMATRIX")
    return _STORED if data is None else from_matrix(struct.unpack("=9i", bytes(data)[:36]))


def from_matrix(matrix: tuple[int, ...]) -> Orientation:
    """Returns the orientation that is nearest to a display matrix.

    Args:
        matrix: nine numbers; column x and row y are shown at x * m[0] + y * m[3] and x * m[1] + y * m[4].
    """
    across_x, down_x, across_y, down_y = matrix[0], matrix[1], matrix[3], matrix[4]
    if abs(across_x) + abs(down_y) >= abs(down_x) + abs(across_y):
        return True, -1 if across_x < 0 else 1, -1 if down_y < 0 else 1
    return False, -1 if across_y < 0 else 1, -1 if down_x < 0 else 1


def oriented(picture: Frame, orientation: Orientation) -> Frame:
    """Returns a picture (H, W, 3) as it is shown: a view of the same memory."""
    upright, across, down = orientation
    shown = picture if upright else picture.transpose(1, 0, 2)
    return np.asarray(shown[::down, ::across])

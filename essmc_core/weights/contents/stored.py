"""A tensor as a file describes it: shape, dtype and size, without its values."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Bytes per element, by the names that torch and NumPy give.
DTYPE_SIZES = {
    "complex128": 16, "complex64": 8, "complex32": 4, "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2,
    "float8_e4m3fn": 1, "float8_e5m2": 1, "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1, "float8_e8m0fnu": 1,
    "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint64": 8, "uint32": 4, "uint16": 2, "uint8": 1, "bool": 1,
    "qint32": 4, "qint8": 1, "quint8": 1, "quint4x2": 1, "quint2x4": 1,
}  # fmt: skip
_INTEGERS = ("int", "uint", "bool")


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in a file.

    Attributes:
        shape: its shape.
        dtype: as torch calls it, without ``torch.``.
        place: what identifies its bytes in the file; tensors of equal place are one. None: nothing is known of it.
        is_parameter: whether the file says that it is a parameter; None if it does not say.
        note: what is particular: ``sparse``, ``quantised``.
    """

    shape: tuple[int, ...]
    dtype: str
    place: tuple[object, ...] | None = None
    is_parameter: bool | None = None
    note: str = ""

    @property
    def numel(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of its elements."""
        return self.numel * DTYPE_SIZES.get(self.dtype, 1)

    @property
    def is_integer(self) -> bool:
        """Whether its elements are whole numbers, which no parameter has."""
        return self.dtype.startswith(_INTEGERS)

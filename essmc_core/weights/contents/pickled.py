"""Unpickles into descriptions: nothing that a pickle names is imported or called.

Every global becomes a class or function of this module. Those of torch and NumPy that rebuild tensors return
descriptions of them, plain containers are plain, and everything else becomes an `Opaque` that knows its name.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, BinaryIO, ClassVar

from essmc_core.weights.contents.stored import DTYPE_SIZES, StoredTensor

_STORAGES = {
    "ComplexDouble": "complex128", "ComplexFloat": "complex64", "Double": "float64", "Long": "int64",
    "Float": "float32", "Int": "int32", "QInt32": "qint32", "Half": "float16", "BFloat16": "bfloat16",
    "Short": "int16", "Char": "int8", "Byte": "uint8", "Bool": "bool", "QInt8": "qint8", "QUInt8": "quint8",
    "QUInt4x2": "quint4x2", "QUInt2x4": "quint2x4", "Untyped": "uint8",
}  # fmt: skip
# Kinds of NumPy's dtype codes, such as f4.
_NUMPY_KINDS = {"f": "float", "i": "int", "u": "uint", "c": "complex"}


class Opaque:
    """An object of a class that was not imported.

    Attributes:
        state: what the pickle would have given to it, None if nothing.
        arguments: what it would have been built from.
    """

    qualified = "?"
    state: object = None
    arguments: tuple[object, ...] = ()

    def __new__(cls, *args: object, **kwargs: object) -> Opaque:  # noqa: D102
        made = object.__new__(cls)
        made.arguments = args
        return made

    def __init__(self, *args: object, **kwargs: object) -> None: ...

    def __call__(self, *args: object, **kwargs: object) -> Opaque:  # noqa: D102
        return Opaque()

    def __setstate__(self, state: object) -> None:
        self.state = state

    def __setitem__(self, key: object, value: object) -> None: ...

    def append(self, item: object) -> None:
        """Takes an item of a list that its class extends, and forgets it."""

    def extend(self, items: object) -> None:
        """Takes items likewise."""

    def add(self, item: object) -> None:
        """Takes an item of a set likewise."""

    def update(self, items: object) -> None:
        """Takes items likewise."""


class Array:
    """A NumPy array with the bytes of its values."""

    def __init__(self, *args: object) -> None:
        self.shape: tuple[int, ...] = ()
        self.code = ""
        self.data: bytes = b""
        self.fortran = False

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, data = state
        self._fill(shape, dtype, fortran, data)

    def _fill(self, shape: Any, dtype: Any, fortran: Any, data: Any) -> None:
        if not isinstance(dtype, _NumpyDtype) or dtype.numpy_name is None or isinstance(data, list):
            raise ValueError("it holds a NumPy array of objects, not of numbers")
        self.shape = tuple(int(size) for size in shape)
        self.code = dtype.order + dtype.code
        # Python 2 pickled bytes as text.
        self.data = data.encode("latin1") if isinstance(data, str) else bytes(data)
        self.fortran = bool(fortran)
        if len(self.data) != self.described.nbytes or min(self.shape, default=0) < 0:
            raise ValueError(f"an array of shape {self.shape} has {len(self.data)} bytes")

    @property
    def described(self) -> StoredTensor:
        """The array without its values."""
        return StoredTensor(self.shape, _numpy_name(self.code[1:]) or "?", ("array", id(self)))


class Storage:
    """A run of elements in the file that tensors are views of."""

    def __init__(self, dtype: str, key: str) -> None:
        self.dtype = dtype
        self.key = key


class _NumpyDtype:
    def __init__(self, code: object = "", *rest: object) -> None:
        self.code = code.decode("latin1") if isinstance(code, bytes) else str(code)
        self.order = "<"

    def __setstate__(self, state: Any) -> None:
        order = state[1]
        order = order.decode("latin1") if isinstance(order, bytes) else order
        self.order = order if order in ("<", ">") else ("<" if order == "=" else "|")

    @property
    def numpy_name(self) -> str | None:
        return _numpy_name(self.code)


def _numpy_name(code: str) -> str | None:
    if code == "b1":
        return "bool"
    kind, digits = _NUMPY_KINDS.get(code[:1]), code[1:]
    name = f"{kind}{int(digits) * 8}" if kind and digits.isdecimal() and len(digits) < 3 else ""
    return name if name in DTYPE_SIZES else None


class _Dict(dict[Any, Any]):
    """An OrderedDict or defaultdict."""

    def __new__(cls, *args: object, **kwargs: object) -> _Dict:
        return dict.__new__(cls)

    def __init__(self, *args: Any) -> None:
        if args and isinstance(args[0], (list, dict)):
            super().__init__(args[0])

    def __setstate__(self, state: object) -> None:
        """Leaves out attributes, such as the versions of modules."""


class _Type:
    """A dtype, device or layout, by name."""

    def __init__(self, name: str) -> None:
        self.name = name


class _StorageType:
    def __init__(self, name: str) -> None:
        self.__name__ = name


def _tensor(
    storage: Any,
    offset: int = 0,
    size: Any = (),
    stride: Any = (),
    requires_grad: object = None,
    hooks: object = None,
    dtype: Any = None,
    *rest: object,
) -> object:
    if not isinstance(storage, Storage):
        return Opaque()
    # _rebuild_tensor_v3 says the dtype beside an untyped storage.
    name = dtype.name.removeprefix("torch.") if isinstance(dtype, _Type) else storage.dtype
    shape = tuple(int(length) for length in size)
    return StoredTensor(shape, name, (storage.key, offset, shape, tuple(stride)))


def _quantised(storage: Any, offset: int = 0, size: Any = (), stride: Any = (), *rest: object) -> object:
    found = _tensor(storage, offset, size, stride)
    if not isinstance(found, StoredTensor):
        return found
    return StoredTensor(found.shape, found.dtype, found.place, note="quantised")


def _parameter(data: Any, *rest: object) -> object:
    if not isinstance(data, StoredTensor):
        return data
    return StoredTensor(data.shape, data.dtype, data.place, True, data.note)


def _sparse(layout: object, arguments: Any) -> object:
    # The last may say whether indices are coalesced; values and size end the rest, for every layout.
    parts = arguments[:-1] if isinstance(arguments[-1], bool) else arguments
    values, size = parts[-2:]
    if not isinstance(values, StoredTensor):
        return Opaque()
    return StoredTensor(tuple(int(length) for length in size), values.dtype, values.place, note="sparse")


def _of_subclass(rebuild: Any, kind: object, arguments: Any, state: object = None) -> object:
    return rebuild(*arguments) if rebuild in _REBUILDERS.values() else Opaque()


def _array(*arguments: object) -> Array:
    return Array()


def _array_of_buffer(buffer: Any, dtype: Any, shape: Any, order: object) -> Array:
    made = Array()
    made._fill(shape, dtype, order == "F", buffer)
    return made


def _number(dtype: Any, data: Any = b"") -> object:
    """Returns the value of a NumPy scalar."""
    name = dtype.numpy_name if isinstance(dtype, _NumpyDtype) else None
    content = data.encode("latin1") if isinstance(data, str) else data
    if name is None or not isinstance(content, bytes):
        return Opaque()
    import struct

    letter = {"float64": "d", "float32": "f", "float16": "e", "int64": "q", "int32": "i", "int16": "h", "int8": "b",
              "uint64": "Q", "uint32": "I", "uint16": "H", "uint8": "B", "bool": "?"}.get(name)  # fmt: skip
    order = ">" if dtype.order == ">" else "<"
    return Opaque() if letter is None else struct.unpack(order + letter, content)[0]


def _bytes(text: Any, *encoding: object) -> object:
    return text.encode("latin1") if isinstance(text, str) else text


def _device(*arguments: object) -> str:
    return ":".join(map(str, arguments))


def _size(lengths: Any = ()) -> tuple[Any, ...]:
    return tuple(lengths)


_REBUILDERS: dict[str, Callable[..., object]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor,
    "torch._utils._rebuild_qtensor": _quantised,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._utils._rebuild_sparse_tensor": _sparse,
}
_PLAIN: dict[str, Any] = {
    **_REBUILDERS,
    "torch._tensor._rebuild_from_type_v2": _of_subclass,
    "torch.Size": _size,
    "torch.device": _device,
    "torch.serialization._get_layout": _device,
    "collections.OrderedDict": _Dict,
    "collections.defaultdict": _Dict,
    "_codecs.encode": _bytes,
    **{f"{module}.{kind.__name__}": kind
       for module in ("builtins", "__builtin__") for kind in (set, frozenset, list, dict, tuple, int, float, str)},
    **{f"numpy.{core}.multiarray._reconstruct": _array for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray.scalar": _number for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": _array_of_buffer for core in ("core", "_core")},
    "numpy.ndarray": Array,
    "numpy.dtype": _NumpyDtype,
}  # fmt: skip


class DescribingUnpickler(pickle._Unpickler):
    """Builds descriptions of what a pickle holds.

    It is Python's unpickler in Python: the one in C makes room for the largest number of a remembered object, which a
    few bytes of a damaged pickle may put at four billions.

    Args:
        file: where the pickle begins.
        encoding: of the texts of Python 2, ``latin1`` for pickles of NumPy arrays.

    Attributes:
        storages: bytes that each storage needs, by its key in the file.
        opaque: the names of the classes and functions that were not imported, in order.
    """

    def __init__(self, file: BinaryIO, encoding: str = "utf-8") -> None:
        super().__init__(file, encoding=encoding)
        self.storages: dict[str, int] = {}
        self.opaque: dict[str, None] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Returns what stands for a global; it is never imported."""
        known = _PLAIN.get(f"{module}.{name}")
        if known is not None:
            return known
        if module.startswith("torch") and name.endswith("Storage"):
            return _StorageType(name)
        if module == "torch" and name in DTYPE_SIZES:
            return _Type(name)
        if module.startswith("numpy.dtypes") or (module == "numpy" and name.rstrip("0123456789") in ("float", "int")):
            return _NumpyDtype
        qualified = f"{module}.{name}"
        self.opaque[qualified] = None
        return type(name, (Opaque,), {"__module__": module, "qualified": qualified})

    def persistent_load(self, pid: Any) -> Any:
        """Returns what stands for a storage, and notes how many bytes it needs."""
        kind, key, count = pid[1], pid[2], pid[4]
        if not isinstance(count, int) or count < 0:
            raise ValueError(f"storage {key} has the size {count!r}")
        dtype = _STORAGES.get(str(kind.__name__).removesuffix("Storage"))
        if dtype is None:
            raise ValueError(f"it holds a {kind.__name__}, which this torch does not know")
        # Views may refer to one storage with several dtypes; the record must have the largest size.
        self.storages[str(key)] = max(count * DTYPE_SIZES[dtype], self.storages.get(str(key), 0))
        return Storage(dtype, str(key))

    stack: list[Any]
    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(pickle._Unpickler.dispatch)

    def _load_build(self) -> None:
        """Gives a state to an object of this module; a pickle could change classes and functions with it otherwise."""
        state = self.stack.pop()
        if isinstance(self.stack[-1], (Opaque, Array, _Dict, _NumpyDtype)):
            self.stack[-1].__setstate__(state)

    dispatch[pickle.BUILD[0]] = _load_build

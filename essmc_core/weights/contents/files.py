"""Reads the structure of a file of weights: which tensors it holds, under which names, beside what else."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from essmc_core.errors import MissingDependency, WeightsCorrupt
from essmc_core.weights.contents.pickled import DescribingUnpickler
from essmc_core.weights.contents.stored import DTYPE_SIZES, StoredTensor
from essmc_core.weights.described_file import aliases
from essmc_core.weights.regular_file import require_regular
from essmc_core.weights.sniff import describe, sniff, zip_kind
from essmc_core.weights.zip_records import check_records

ContentKind: TypeAlias = Literal["safetensors", "torch zip", "torch legacy", "pickle", "torchscript", "pt2", "onnx"]
WORDS: dict[ContentKind, str] = {
    "safetensors": "safetensors",
    "torch zip": "torch.save (zip archive)",
    "torch legacy": "torch.save of torch before 1.6",
    "pickle": "a pickle that torch.save did not write",
    "torchscript": "a TorchScript program",
    "pt2": "an exported program of PyTorch (.pt2)",
    "onnx": "an ONNX network",
}
_HINT = "Weights are read from safetensors and from files of torch.save."
_SAFETENSORS_DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu", "I64": "int64", "I32": "int32", "I16": "int16",
    "I8": "int8", "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool", "C64": "complex64",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds.

    Attributes:
        path: the file.
        kind: its format.
        nbytes: its size.
        content: the object in it, with a `StoredTensor` for every tensor.
        metadata: what stands beside it: a safetensors file's strings, a program's card.
        opaque: the classes and functions that the pickle names and that were not imported.
    """

    path: Path
    kind: ContentKind
    nbytes: int
    content: object
    metadata: Mapping[str, Any] = field(default_factory=dict)
    opaque: tuple[str, ...] = ()


def read_contents(path: Path) -> Contents:
    """Reads what a file holds, without its values and without torch; nothing in it is executed.

    Raises:
        WeightsNotFound: there is no such file.
        WeightsCorrupt: it is damaged, or a file of another kind; the message says what it is and what to do.
        MissingDependency: it is an ONNX network and `onnx` is not installed.
    """
    require_regular(path)
    try:
        kind = _kind(path)
        size = path.stat().st_size
        content, metadata, opaque = _READERS[kind](path)
    except OSError as error:
        if isinstance(error, (WeightsCorrupt, MissingDependency)):
            raise
        raise WeightsCorrupt(f"{path} cannot be read: {error.strerror or error}.") from error
    return Contents(path, kind, size, content, metadata, tuple(opaque))


def _kind(path: Path) -> ContentKind:
    found = sniff(path)
    if found == "torch zip":
        inner = zip_kind(path)
        if inner is None:
            raise WeightsCorrupt(f"{path} is {describe(path)}.", hint=_HINT)
        return "torch zip" if inner == "checkpoint" else inner
    if found is not None:
        return found
    if _is_onnx(path):
        return "onnx"
    raise WeightsCorrupt(f"{path} is {describe(path)}.", hint=_HINT)


def _is_onnx(path: Path) -> bool:
    """Returns whether a file begins as an ONNX network does: with the number of its format's version."""
    with path.open("rb") as stream:
        head = stream.read(3)
    # The second field is the name of the producer, a text; exporters that leave it out go on with another one.
    return head[:1] == b"\x08" and 0 < head[1] < 32 and (path.suffix.lower() == ".onnx" or head[2:3] == b"\x12")


Read: TypeAlias = "tuple[object, Mapping[str, Any], tuple[str, ...]]"


def _safetensors(path: Path) -> Read:
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(length))
    metadata = header.pop("__metadata__", None) or {}
    available = path.stat().st_size - 8 - length
    tensors: dict[str, object] = {}
    end = 0
    for name, entry in header.items():
        try:
            dtype = _SAFETENSORS_DTYPES.get(entry["dtype"], str(entry["dtype"]).lower())
            start, stop = entry["data_offsets"]
            found = StoredTensor(tuple(map(int, entry["shape"])), dtype, ("at", start, stop))
            wrong = stop - start != found.nbytes if dtype in DTYPE_SIZES else start > stop
        except (TypeError, KeyError, ValueError) as error:
            raise WeightsCorrupt(f"{path} is a damaged safetensors file: {name} has no shape or place.") from error
        if wrong or start < 0 or min(found.shape, default=0) < 0:
            raise WeightsCorrupt(f"{path} is a damaged safetensors file: {name} has other bytes than its shape.")
        tensors[name] = found
        end = max(end, stop)
    if end > available:
        raise WeightsCorrupt(
            f"{path} is a truncated safetensors file: its header asks for {end:,} bytes of values and "
            f"{available:,} are there.",
            hint="Fetch it again.",
        )
    further = aliases(metadata, tensors) if isinstance(metadata, Mapping) else {}
    return {**tensors, **{alias: tensors[name] for alias, name in further.items()}}, metadata, ()


def _torch_zip(path: Path) -> Read:
    check_records(path)
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl")
        content, opaque = _unpickled(path, io.BytesIO(archive.read(name)))
    return content, {}, opaque


def _torch_legacy(path: Path) -> Read:
    with path.open("rb") as stream:
        for _ in range(3):  # magic number, version, and the system that wrote it
            _unpickled(path, stream)
        described = DescribingUnpickler(stream)
        content = _load(path, described)
        keys = _load(path, DescribingUnpickler(stream))
        start = stream.tell()
    # Each storage is its number of elements and then the elements.
    count = len(keys) if isinstance(keys, list) else 0
    wanted = start + sum(described.storages.values()) + 8 * count
    if path.stat().st_size < wanted:
        raise WeightsCorrupt(
            f"{path} is a truncated file of torch.save: it has {path.stat().st_size:,} bytes of {wanted:,}.",
            hint="Fetch it again.",
        )
    return content, {}, tuple(described.opaque)


def _pickle(path: Path) -> Read:
    with path.open("rb") as stream:
        content, opaque = _unpickled(path, stream, encoding="latin1")
    return content, {}, opaque


def _unpickled(path: Path, stream: Any, encoding: str = "utf-8") -> tuple[object, tuple[str, ...]]:
    unpickler = DescribingUnpickler(stream, encoding)
    content = _load(path, unpickler)
    return content, tuple(unpickler.opaque)


def _load(path: Path, unpickler: DescribingUnpickler) -> object:
    try:
        return unpickler.load()
    except Exception as error:
        # Unpickling arbitrary bytes may raise anything: struct.error, MemoryError, OverflowError.
        reason = str(error).strip().rstrip(".") or type(error).__name__
        message = f"{path} is a damaged or truncated pickle ({reason})."
        raise WeightsCorrupt(message, hint="Fetch it again.") from error


def _torchscript(path: Path) -> Read:
    """Reads the tree of a program's modules; their attributes are its tensors."""
    check_records(path)
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl")
        content, _ = _unpickled(path, io.BytesIO(archive.read(name)))
        card = _cards(archive)
    return content, card, ()


def _pt2(path: Path) -> Read:
    try:
        with zipfile.ZipFile(path) as archive:
            return _weights_of_program(path, archive), _cards(archive), ()
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise WeightsCorrupt(f"{path} is a damaged exported program ({error}).", hint="Export it again.") from error


def _weights_of_program(path: Path, archive: zipfile.ZipFile) -> object:
    names = archive.namelist()
    listing = next((name for name in names if name.endswith("_weights_config.json")), None)
    if listing is not None:
        entries = json.loads(archive.read(listing))["config"]
        return {name: _exported_tensor(entry) for name, entry in entries.items() if entry.get("tensor_meta")}
    inner = next((name for name in names if name.endswith(("serialized_state_dict.pt", "weights/model.pt"))), None)
    if inner is None:
        return {}
    with zipfile.ZipFile(io.BytesIO(archive.read(inner))) as saved:
        data = next(name for name in saved.namelist() if name.rpartition("/")[2] == "data.pkl")
        return _unpickled(path, io.BytesIO(saved.read(data)))[0]


# torch.export's own numbers of dtypes.
_EXPORTED_DTYPES = (
    "unknown", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "complex32", "complex64",
    "complex128", "bool", "bfloat16",
)  # fmt: skip


def _exported_tensor(entry: Mapping[str, Any]) -> StoredTensor:
    meta = entry["tensor_meta"]
    number = meta["dtype"]
    dtype = _EXPORTED_DTYPES[number] if 0 <= number < len(_EXPORTED_DTYPES) else "unknown"
    shape = tuple(int(size["as_int"]) for size in meta["sizes"])
    return StoredTensor(shape, dtype, ("exported", entry.get("path_name")), bool(entry.get("is_param")))


def _cards(archive: zipfile.ZipFile) -> dict[str, Any]:
    """Returns the small JSON texts that stand beside a program, such as our card."""
    found: dict[str, Any] = {}
    for record in archive.infolist():
        parts = record.filename.split("/")
        if len(parts) > 1 and parts[-2] == "extra" and parts[-1].endswith(".json") and record.file_size < 1 << 20:
            try:
                found[parts[-1]] = json.loads(archive.read(record))
            except ValueError:
                continue
    return found


def _onnx(path: Path) -> Read:
    try:
        import onnx
    except ImportError as error:
        raise MissingDependency(f"{path} is an ONNX network, which onnx reads.", hint="pip install onnx") from error
    try:
        network = onnx.load(str(path), load_external_data=False)
    except Exception as error:
        raise WeightsCorrupt(f"{path} is a damaged ONNX network ({error}).", hint="Export it again.") from error
    tensors = {tensor.name: _onnx_tensor(onnx, tensor) for tensor in network.graph.initializer}
    metadata = {prop.key: prop.value for prop in network.metadata_props}
    operators = sorted({f"{entry.domain or 'ai.onnx'} {entry.version}" for entry in network.opset_import})
    return tensors, {"producer": network.producer_name, "operators": ", ".join(operators), **metadata}, ()


def _onnx_tensor(onnx: Any, tensor: Any) -> StoredTensor:
    kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    return StoredTensor(tuple(tensor.dims), str(kind), ("onnx", tensor.name))


_READERS: dict[ContentKind, Any] = {
    "safetensors": _safetensors,
    "torch zip": _torch_zip,
    "torch legacy": _torch_legacy,
    "pickle": _pickle,
    "torchscript": _torchscript,
    "pt2": _pt2,
    "onnx": _onnx,
}

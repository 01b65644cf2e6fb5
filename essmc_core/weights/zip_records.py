"""Checks the records of a torch archive before torch reads them without checking sizes and offsets."""

from __future__ import annotations

import io
import struct
import sys
import zipfile
from pathlib import Path
from typing import BinaryIO

from essmc_core.errors import WeightsCorrupt
from essmc_core.weights.contents.pickled import DescribingUnpickler

_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_ENCRYPTED = 0x1
# The pickle contains names and shapes; a compressed one could expand to any size.
_LARGEST_PICKLE = 1 << 28
_METHODS = {zipfile.ZIP_BZIP2: "bzip2", zipfile.ZIP_LZMA: "lzma"}
_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# torch aligns records to multiples of this; other offsets would leave a mapped tensor unaligned.
_ALIGNMENT = 64


def check_records(path: Path) -> bool:
    """Checks an archive of torch.save and returns whether its tensors may be memory-mapped.

    Every record must be at the offset in the directory, without overlaps, stored or deflated; every storage that the
    pickle refers to must be a record of exactly its size. Tensors may be mapped if all records are stored uncompressed,
    aligned and in this machine's byte order.

    Raises:
        WeightsCorrupt: a record is encrypted, overlaps another, is missing, or has another size than its tensor.
    """
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as stream:
            places = [_place(path, stream, record) for record in _records(path, archive)]
            _check_overlaps(path, places, archive.start_dir)
            sizes = {record.filename: record.file_size for record, _ in places}
            _check_storages(path, archive, sizes)
            order = _byte_order(archive, sizes)
    except WeightsCorrupt:
        raise
    except Exception as error:
        # A damaged archive may raise anything: BadZipFile, struct.error, UnicodeDecodeError, zlib.error, ...
        reason = str(error).strip().rstrip(".") or type(error).__name__
        raise _damaged(path, reason) from error
    data = [(record, start) for record, start in places if "/data/" in record.filename]
    return order == sys.byteorder and all(
        record.compress_type == zipfile.ZIP_STORED and start % _ALIGNMENT == 0 for record, start in data
    )


def _records(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    records = archive.infolist()
    names = {record.filename for record in records}
    if len(names) != len(records):
        raise _damaged(path, "two of its records have one name")
    for record in records:
        if record.flag_bits & _ENCRYPTED:
            hint = "Unpack it with its password, and save the weights again."
            raise WeightsCorrupt(f"{path} is encrypted: its record {record.filename} needs a password.", hint=hint)
        if record.compress_type not in _READABLE:
            method = _METHODS.get(record.compress_type, f"method {record.compress_type}")
            hint = "Save the weights again with torch.save, or zip them stored or deflated."
            raise WeightsCorrupt(f"{path} is compressed by {method}, which torch cannot read.", hint=hint)
        if record.compress_type == zipfile.ZIP_STORED and record.file_size != record.compress_size:
            raise _damaged(path, f"its record {record.filename} has two sizes")
    return records


def _place(path: Path, stream: BinaryIO, record: zipfile.ZipInfo) -> tuple[zipfile.ZipInfo, int]:
    """Returns a record with the offset of its bytes, after checking its own header against the directory."""
    stream.seek(record.header_offset)
    header = _LOCAL_HEADER.unpack(stream.read(_LOCAL_HEADER.size))
    name = stream.read(header[9])
    if header[0] != b"PK\x03\x04" or name != record.orig_filename.encode("utf-8" if header[2] & 0x800 else "cp437"):
        raise _damaged(path, f"its record {record.filename} is not where the directory says")
    if header[3] != record.compress_type or header[2] & _ENCRYPTED:
        raise _damaged(path, f"its record {record.filename} is stored in another way than the directory says")
    return record, record.header_offset + _LOCAL_HEADER.size + header[9] + header[10]


def _check_overlaps(path: Path, places: list[tuple[zipfile.ZipInfo, int]], end: int) -> None:
    ordered = sorted(places, key=lambda place: place[0].header_offset)
    limits = [record.header_offset for record, _ in ordered[1:]] + [end]
    for (record, start), limit in zip(ordered, limits, strict=True):
        if start + record.compress_size > limit:
            raise _damaged(path, f"its record {record.filename} runs into what follows it")


def _byte_order(archive: zipfile.ZipFile, sizes: dict[str, int]) -> str:
    name = next((name for name in sizes if name.rpartition("/")[2] == "byteorder"), None)
    return "little" if name is None else archive.read(name).decode("ascii", "replace").strip()


def _check_storages(path: Path, archive: zipfile.ZipFile, sizes: dict[str, int]) -> None:
    """Compares the storages that the pickle refers to with the records; a short record would be read past its end."""
    name = next((name for name in sizes if name.rpartition("/")[2] == "data.pkl"), None)
    if name is None:
        raise _damaged(path, "it has no data.pkl, so torch.save did not write it")
    if sizes[name] > _LARGEST_PICKLE:
        raise _damaged(path, f"its data.pkl has {sizes[name]:,} bytes, more than names and shapes can need")
    root = name.rpartition("/")[0]
    for key, wanted in _asked_for(archive.read(name)).items():
        found = sizes.get(f"{root}/data/{key}")
        if found is None:
            raise _damaged(path, f"the bytes of tensor storage {key} are missing")
        if found != wanted:
            raise _damaged(path, f"tensor storage {key} has {found} bytes in the file and needs {wanted}")


def _asked_for(content: bytes) -> dict[str, int]:
    """Returns the size in bytes of each storage that a pickle refers to, without executing any of its code."""
    listing = DescribingUnpickler(io.BytesIO(content))
    listing.load()
    return listing.storages


def _damaged(path: Path, reason: str) -> WeightsCorrupt:
    message = f"{path} is a damaged or truncated file of torch.save ({reason})."
    return WeightsCorrupt(message, hint="Fetch it again.")

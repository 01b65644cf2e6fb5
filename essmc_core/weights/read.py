"""Reads a weights file without executing code that a pickle may contain."""

from __future__ import annotations

import argparse
import pickle
import pickletools
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from packaging.version import Version

from essmc_core.errors import UnsafeWeights, WeightsCorrupt
from essmc_core.weights.array_pickle import read_arrays, unsafe
from essmc_core.weights.described_file import aliases, read_metadata
from essmc_core.weights.regular_file import require_regular
from essmc_core.weights.sniff import Format, describe, is_torchscript, sniff
from essmc_core.weights.whole_models import explain_whole_model
from essmc_core.weights.zip_records import check_records

_REFUSED = re.compile(r"GLOBAL ([\w.]+)|(?:reduce for unrecognized function|instantiate unsupported class) .*?([\w.]+)")
_REFUSALS = ("unsupported global", "unsupported class", "trying to call reduce", "trying to instantiate", "blocklisted",
             "can only setitem", "can only build")  # fmt: skip
_BOILERPLATE = ("Weights only load failed", "Please file an issue", "Check the documentation", "(1)", "(2)")


def read_weights(path: Path, *, mmap: bool = False) -> Mapping[str, Any]:
    """Reads a safetensors or torch file; the format is detected from its content, not its name.

    Args:
        path: the file.
        mmap: memory-map tensors instead of reading them, if the format and the file's records allow it. Such tensors
            are private (writing to them does not change the file), but the file must not be overwritten in place while
            they exist: only files that nobody overwrites should be mapped.

    Returns:
        The mapping in the file, on the CPU: a state dict, or a checkpoint that contains one. The arrays of a plain
        pickle, such as Caffe2's, become tensors.

    Raises:
        WeightsNotFound: there is no such file.
        WeightsCorrupt: the file is truncated or of another format, or the size of a record differs from its tensor's.
        UnsafeWeights: the file is a pickle that would execute code, or a TorchScript program.
    """
    require_regular(path)
    kind = _sniff(path)
    if kind is None:
        raise WeightsCorrupt(
            f"{path} is {describe(path)}.", hint="Weights are read from safetensors and from files of torch.save."
        )
    if kind == "safetensors":
        return _read_safetensors(path, mmap)
    if kind == "torch zip" and is_torchscript(path):
        raise UnsafeWeights(
            f"{path} is a TorchScript archive, a program rather than weights.",
            hint="Save its tensors: torch.save(torch.jit.load(path).state_dict(), new_path).",
        )
    if kind == "pickle":
        return read_arrays(path)
    mappable = check_records(path) if kind == "torch zip" else False
    content = _read_torch(path, mmap and mappable)
    if not isinstance(content, Mapping):
        raise WeightsCorrupt(f"{path} holds a {type(content).__name__}, not a state dict.")
    return content


def _sniff(path: Path) -> Format | None:
    try:
        return sniff(path)
    except OSError as error:
        raise WeightsCorrupt(f"{path} cannot be read: {error.strerror or error}.") from error


def _read_safetensors(path: Path, mmap: bool) -> Mapping[str, Any]:
    from safetensors.torch import load, load_file

    try:
        tensors = load_file(path) if mmap else load(path.read_bytes())
    except Exception as error:
        # SafetensorError, and KeyError for dtypes that torch does not have.
        message = f"{path} is a damaged safetensors file: {_reason(error)}."
        raise WeightsCorrupt(message, hint="Fetch it again.") from error
    further = aliases(read_metadata(path), tensors)
    return {**tensors, **{alias: tensors[name] for alias, name in further.items()}}


def _read_torch(path: Path, mmap: bool) -> object:
    try:
        with _harmless_globals():
            if path.suffix == ".safetensors":
                # torch.load checks this suffix, which a file object does not have.
                with path.open("rb") as stream:
                    return torch.load(stream, map_location="cpu", weights_only=True)
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:
        if any(phrase in str(error).lower() for phrase in _REFUSALS) and not _ends_within_a_name(path):
            raise explain_whole_model(path) or unsafe(path, _refused_name(_reason(error))) from error
        raise _damaged(path, error) from error
    except Exception as error:
        # Unpickling arbitrary bytes may raise anything: struct.error, MemoryError, OverflowError.
        raise _damaged(path, error) from error


def _ends_within_a_name(path: Path) -> bool:
    """Returns whether a file of the old format is truncated, which can make a harmless name look like another."""
    if sniff(path) != "torch legacy":
        return False
    with path.open("rb") as stream:
        try:
            # The pickles of a legacy file: magic number, protocol version, system information, content.
            for _ in range(4):
                for _ in pickletools.genops(stream):
                    pass
        except Exception:
            return True
    return False


def _harmless_globals() -> AbstractContextManager[None]:
    """Allows plain data types that trainers store in checkpoints and whose unpickling executes no code."""
    allow = getattr(torch.serialization, "safe_globals", None)  # from torch 2.5 on
    if allow is None:
        return nullcontext()
    plain: list[Any] = [argparse.Namespace, int, float, str, list, dict, *_numpy_scalars()]
    # The restricted unpickler sets items of plain dicts only, so a defaultdict is read as a dict.
    substitutes = [] if Version(torch.__version__) < Version("2.7") else [(_plain_dict, "collections.defaultdict")]
    return cast("AbstractContextManager[None]", allow([*plain, *substitutes]))


def _plain_dict(factory: object = None) -> dict[Any, Any]:
    return {}


def _numpy_scalars() -> list[Any]:
    try:
        import numpy
    except ImportError:
        return []
    rebuild = numpy.float64(0).__reduce__()[0]
    kinds = [numpy.dtype(name) for name in ("float16", "float32", "float64", "int32", "int64", "bool")]
    return [rebuild, numpy.dtype, *(type(kind) for kind in kinds)]


def _refused_name(reason: str) -> str:
    """Returns what torch's restricted unpickler refused, as it is told to the user."""
    match = _REFUSED.search(reason)
    name = next((group for group in match.groups() if group), None) if match else None
    return f"it needs {name}" if name else reason


def _damaged(path: Path, error: Exception) -> WeightsCorrupt:
    message = f"{path} is a damaged or truncated file of torch.save ({_reason(error)})."
    return WeightsCorrupt(message, hint="Fetch it again.")


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and not line.startswith(_BOILERPLATE)]
    return telling[0].rstrip(".") if telling else type(error).__name__

"""safetensors files that describe their model: written in one step, and their description read without torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from essmc_core.errors import WeightsCorrupt, WeightsError
from essmc_core.foundation.atomic import replacing

if TYPE_CHECKING:
    from torch import Tensor

KEY = "essmc"
"""Entry of a file's metadata that holds the description as JSON."""
FORMAT = 1
"""Version of the description; a file with a higher one is refused."""
_LONGEST_HEADER = 100_000_000


class NotWritten(WeightsError, OSError):
    """A file of weights could not be written; one that was there before is unchanged."""


def read_metadata(path: Path) -> dict[str, str]:
    """Returns the metadata of a safetensors file, empty if it has none or is no such file.

    Raises:
        OSError: the file cannot be read.
    """
    header = _header(path)
    metadata = header.get("__metadata__")
    return {str(key): str(value) for key, value in metadata.items()} if isinstance(metadata, Mapping) else {}


def _header(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 1 < length <= _LONGEST_HEADER or file.read(1) != b"{":
            return {}
        try:
            header = json.loads(b"{" + file.read(length - 1))
        except (ValueError, RecursionError):
            return {}
    return header if isinstance(header, dict) else {}


def aliases(metadata: Mapping[str, str], names: Mapping[str, object]) -> dict[str, str]:
    """Returns the further names of tensors that the metadata states, each with the name the tensor is stored under.

    This is how `safetensors.torch.save_model` records tensors that a module holds under several names.

    Args:
        metadata: of the file.
        names: the tensors in it, by name.
    """
    return {alias: name for alias, name in metadata.items() if name in names and alias not in names}


def read_description(path: Path) -> dict[str, Any] | None:
    """Returns what a file says of its model, None if it is another kind of file or says nothing.

    Raises:
        WeightsCorrupt: what it says cannot be read, or was written by a newer version of the core.
        OSError: the file cannot be read.
    """
    text = read_metadata(path).get(KEY)
    if text is None:
        return None
    try:
        stated = json.loads(text)
    except (ValueError, RecursionError):
        stated = None
    if not isinstance(stated, dict) or "format" not in stated:
        message = f"{path} describes its model in a form that cannot be read."
        raise WeightsCorrupt(message, hint="Its weights can be given to a model that you name.")
    return checked_description(stated, path)


def checked_description(stated: object, path: Path) -> dict[str, Any] | None:
    """Returns a description as it stands in a file, None if it is something else.

    Args:
        stated: what stands in its place: in a file of `save`, or under ``card`` in a checkpoint of training.
        path: the file, for messages.

    Raises:
        WeightsCorrupt: it was written by a newer version of the core.
    """
    if not isinstance(stated, Mapping) or "format" not in stated:
        return None
    version = stated["format"]
    if not isinstance(version, int) or not 1 <= version <= FORMAT:
        by = stated.get("essmc-core", "another version")
        message = f"{path} describes its model in format {version}, and this essmc-core reads up to {FORMAT}."
        raise WeightsCorrupt(message, hint=f"pip install 'essmc-core>={by}'")
    return dict(stated)


def write_described(path: Path, tensors: Mapping[str, Tensor], description: Mapping[str, Any]) -> None:
    """Replaces a file by one with tensors and their description.

    Args:
        path: the file.
        tensors: on any device, in any memory format. A tensor under several names is stored once, which the metadata
            states as `safetensors.torch.save_model` does.
        description: plain data, as `essmc_core.models.description` makes it.

    Raises:
        NotWritten: the disk is full, or the folder cannot be written to.
        WeightsError: a tensor has a dtype that safetensors does not have.
    """
    from safetensors.torch import save_file

    stored, further = _stored(tensors)
    text = json.dumps(description, ensure_ascii=False)
    with replacing_weights(path) as temporary:
        save_file(stored, str(temporary), {**further, "format": "pt", KEY: text})


@contextmanager
def replacing_weights(path: Path) -> Iterator[Path]:
    """Does as `essmc_core.foundation.atomic.replacing`, and says in one error why weights cannot be written.

    Raises:
        NotWritten: the disk is full, or the folder cannot be written to.
        WeightsError: the format has no such tensors.
    """
    try:
        with replacing(path) as temporary:
            yield temporary
    except OSError as error:
        raise NotWritten(f"{path} cannot be written: {error.strerror or error}.") from error
    except Exception as error:
        # SafetensorError for the disk, KeyError and ValueError for dtypes; RuntimeError of torch for the disk.
        raise WeightsError(f"{path} cannot be written: {error}.") from error


def _stored(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Returns the tensors to store, none of which share memory, and the further names of those."""
    stored: dict[str, Tensor] = {}
    further: dict[str, str] = {}
    first: dict[tuple[object, ...], str] = {}
    memory: set[object] = set()
    for name, tensor in tensors.items():
        value = tensor.detach()
        place = (value.device, value.data_ptr(), value.dtype, tuple(value.shape), value.stride())
        if value.numel() and place in first:
            further[name] = first[place]
            continue
        first[place] = name
        shares = value.untyped_storage().data_ptr() in memory
        memory.add(value.untyped_storage().data_ptr())
        is_part = value.untyped_storage().nbytes() != value.numel() * value.element_size()
        plain = value.cpu().contiguous()
        stored[name] = plain.clone() if (shares or is_part) and plain.data_ptr() == value.data_ptr() else plain
    return stored, further

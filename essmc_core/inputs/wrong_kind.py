"""A picture in a model's place, a network in a picture's: each wrong kind of file is called what it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from essmc_core.errors import InputError, UnknownModel
from essmc_core.inputs import InputSpec
from essmc_core.inputs.file_kind import WORDS, FileKind, file_kind

_EXPORTS: tuple[FileKind, ...] = ("torchscript", "pt2", "onnx", "openvino")
_NO_MODELS: tuple[FileKind, ...] = ("image", "video", "sound", "safetensors", "other")
_MODELS: tuple[FileKind, ...] = (*_EXPORTS, "checkpoint", "safetensors", "yaml")


def check_is_model(source: object) -> None:
    """Refuses an existing file that cannot name or hold a model.

    Raises:
        UnknownModel: it is a picture, a video, weights without their network, or of another kind.
    """
    kind = _kind(source)
    if kind not in _NO_MODELS:
        return
    if kind == "safetensors":
        hint = f"they need the network they belong to: MODEL with --checkpoint {source} (checkpoint= in Python)"
    else:
        hint = "a model is a zoo name, a YAML file, a work dir or checkpoint of training, or a file of `essmc export`"
    raise UnknownModel(f"{source} is {WORDS[kind]}, not a model", hint=hint)


def check_may_be_configuration(source: object) -> None:
    """Refuses an existing file that cannot say how a model is built.

    Raises:
        UnknownModel: it is an exported program, or what :func:`check_is_model` refuses.
    """
    kind = _kind(source)
    if kind in _EXPORTS:
        hint = f"`essmc predict {source} FILE` runs it, if `essmc export` wrote it"
        raise UnknownModel(f"{source} is {WORDS[kind]}, not the configuration of a model", hint=hint)
    check_is_model(source)


@contextmanager
def explain_wrong_input(path: str | os.PathLike[str], spec: InputSpec) -> Iterator[None]:
    """Where reading an input fails, says what kind of file it is, if it is one that never could be read."""
    try:
        yield
    except InputError as error:
        kind = _kind(path)
        wrong = kind in _MODELS or kind == "sound" or (kind in ("image", "video") and kind != spec.modality)
        if kind is None or not wrong:
            raise
        raise InputError(f"{path} is {WORDS[kind]}.", hint=f"The model takes {spec}.") from error


def _kind(source: object) -> FileKind | None:
    if not isinstance(source, (str, os.PathLike)):
        return None
    try:
        path = Path(source)
        return file_kind(path) if path.is_file() else None
    except (OSError, ValueError):
        return None

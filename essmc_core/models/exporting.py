"""Exports a model's test mode to a file, whose outputs are compared with the model's before it is put in place."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from essmc_core.contract.module import TrainModule
from essmc_core.errors import ConfigError, EssmcError
from essmc_core.foundation.error_text import first_line
from essmc_core.foundation.json_values import to_json
from essmc_core.foundation.plain_data import plain_data
from essmc_core.inputs import InputSpec
from essmc_core.models.factory import build_trained
from essmc_core.models.formats.file_format import FileFormat
from essmc_core.models.formats.formats import FORMATS
from essmc_core.models.recipes import read_recipe
from essmc_core.zoo.labels import configured_counts
from essmc_core.zoo.recipe import ModelRef, Overrides, Recipe
from essmc_core.zoo.weights_asked import weights_source

Format = Literal["pt2", "torchscript", "onnx", "openvino"]
Free = Literal["height", "width", "frames"]
Runner = Callable[[Tensor], Any]

FREE: Mapping[Free, str] = {"height": "H", "width": "W", "frames": "T"}
"""Sizes that may be left open, with their letters in layouts."""
# Another order of summation changes the last bits; probabilities are at most 1.
TOLERANCE = 1e-4


class ExportError(EssmcError, RuntimeError):
    """A model that cannot be exported, or a file whose outputs differ from the model's."""


@dataclass(frozen=True, slots=True)
class Export:
    """An exported file.

    Attributes:
        model: name of the model.
        path: the file.
        format: ``torchscript``, ``pt2``, ``onnx`` or ``openvino``.
        bytes: size of the file, and of the one with its weights beside it.
        difference: largest absolute difference between its probabilities and the model's, on inputs that it was not
            exported with.
        input_shape: what it takes, without the batch: e.g. (3, 8, 32, 32).
        any_batch: whether it takes batches of any size; otherwise of one.
        dynamic: which of its sizes may be others than those of ``input_shape``.
        weights: URI of the weights, None for random ones.
    """

    model: str
    path: Path
    format: str
    bytes: int
    difference: float
    input_shape: tuple[int, ...]
    any_batch: bool
    dynamic: tuple[str, ...] = ()
    weights: str | None = None


def export_model(
    model: ModelRef,
    path: str | os.PathLike[str] | None = None,
    *,
    format: Format | None = None,
    dynamic: Sequence[Free] = (),
    checkpoint: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    random: bool = False,
    overrides: Overrides = (),
    **knobs: Any,
) -> Export:
    """Exports the test mode of a model, which maps normalised images or clips to probabilities.

    The file contains ``essmc.json``: what built the model, its input and its labels. An existing file is replaced only
    after the outputs of the new one have been found equal to the model's.

    Args:
        model: zoo name, YAML file or mapping with ``model`` and ``input``.
        path: the file to write; by default the model's name with the format's suffix.
        format: ``torchscript`` (traced), ``pt2`` (`torch.export`), ``onnx`` or ``openvino`` (.xml, with a .bin beside
            it); by default what the suffix of ``path`` says, else ``pt2``.
        dynamic: sizes that the file takes any of: ``height``, ``width``, ``frames``. The file is compared at twice
            these sizes too.
        checkpoint: weights to use instead of the entry's.
        random: use random weights.
        overrides: changes of the configuration by path.
        **knobs: changes by the names the entry declares.

    Raises:
        ConfigError: the configuration does not state its input, its labels are not those of the head, or the format
            or a size is unknown.
        WeightsMismatch: the head does not fit the weights, so that its classes would be random.
        WeightsNotFound: the entry names no weights, and neither ``checkpoint`` nor ``random`` was given.
        ExportError: the model cannot be exported, or not with these sizes open, the outputs of the file differ, or it
            cannot be written.
        MissingDependency: packages that write the format are not installed.
    """
    recipe = read_recipe(model, overrides, knobs)
    kind = _format(path, format)
    target = _target(Path(path) if path is not None else Path(Path(recipe.name).stem + kind.suffix))
    spec = recipe.input_spec()
    free = _free(dynamic, spec, kind)
    kind.require()
    source = None if random and checkpoint is None else weights_source(recipe, True, checkpoint)
    recipe.checked_labels(configured_counts(recipe.config))
    built = build_trained(recipe, source).eval()
    weights = None if source is None else str(source.get("uri", source.get("path")))
    _check_sizes(built, spec, free)
    try:
        # In the folder of the target, so that the finished file is moved atomically.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".essmc-export-") as folder:
            file = Path(folder, target.name)
            with warnings.catch_warnings():
                # TorchScript's deprecation and tracer warnings about shapes; the comparison detects real differences.
                warnings.simplefilter("ignore")
                run = _written(built, spec, free, _card(recipe, built, dynamic), kind, file)
                any_batch, difference = _compare(built, run, spec, kind, free)
            for made, place in zip(kind.files(file), kind.files(target), strict=True):
                _put_in_place(made, place)
    except OSError as error:
        raise ExportError(f"{target} cannot be written: {error.strerror or error}.") from error
    size = sum(made.stat().st_size for made in kind.files(target))
    return Export(recipe.name, target, kind.name, size, difference, spec.shape, any_batch, tuple(dynamic), weights)


def _format(path: str | os.PathLike[str] | None, given: str | None) -> FileFormat:
    if given is not None and given not in get_args(Format):
        raise ConfigError(f"There is no format {given!r}.", hint=f"Choose from {', '.join(FORMATS)}.")
    if given is not None or path is None:
        return FORMATS[given or "pt2"]
    suffix = Path(path).suffix
    return next((kind for kind in FORMATS.values() if kind.suffix == suffix), FORMATS["pt2"])


def _free(dynamic: Sequence[str], spec: InputSpec, kind: FileFormat) -> dict[int, str]:
    """Returns the names of open sizes by their dimension in a batch.

    Raises:
        ConfigError: a size is unknown, or the input or the format has none.
    """
    found: dict[int, str] = {}
    for name in dynamic:
        letter = FREE.get(name)  # type: ignore[call-overload]
        if letter is None:
            raise ConfigError(f"There is no size {name!r}.", hint=f"Choose from {', '.join(FREE)}.")
        if letter not in spec.layout:
            raise ConfigError(f"The input has no {name}: the model takes {spec}.")
        found[spec.layout.index(letter)] = name
    if found and not kind.frees_sizes:
        raise ConfigError(f"A trace of {kind.name} keeps its sizes.", hint="Take --format pt2, onnx or openvino.")
    return found


def _target(path: Path) -> Path:
    path = path.expanduser()
    if path.is_dir():
        raise ExportError(f"{path} is a directory.", hint=f"Name a file in it, e.g. {path / 'model.pt2'}.")
    if not path.parent.is_dir():
        raise ExportError(f"There is no directory {path.parent}.", hint=f"mkdir -p {path.parent}")
    return path


def _card(recipe: Recipe, built: TrainModule, dynamic: Sequence[str]) -> str:
    """Returns the metadata of the file as JSON."""
    labels = recipe.labels()
    spec = InputSpec.from_mapping(recipe.section("input"))
    with torch.no_grad():
        outputs = built(_inputs(spec, 1, seed=0))
    facts = {
        "input": plain_data(recipe.section("input")),
        "labels": labels,
        "outputs": list(outputs) if isinstance(outputs, Mapping) else [],
        "dynamic": list(dynamic),
        "card": plain_data(built.card or {}),
    }
    return to_json(facts)


def _inputs(spec: InputSpec, batch: int, seed: int, doubled: Collection[int] = ()) -> Tensor:
    """Returns noise of the model's size, with some dimensions twice as large."""
    shape = [size * (2 if number in doubled else 1) for number, size in enumerate((batch, *spec.shape))]
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _check_sizes(model: TrainModule, spec: InputSpec, free: Mapping[int, str]) -> None:
    """Checks that the model itself takes other sizes.

    Raises:
        ExportError: it does not; the message names the size.
    """
    for dimension, name in free.items():
        try:
            with torch.no_grad():
                model(_inputs(spec, 1, seed=0, doubled=[dimension]))
        except Exception as error:
            raise ExportError(
                f"{type(model).__name__} takes no other {name}: {first_line(error)}",
                hint=f"Leave {name} out of --dynamic.",
            ) from error


def _written(
    model: TrainModule, spec: InputSpec, free: Mapping[int, str], card: str, kind: FileFormat, file: Path
) -> Runner:
    """Writes the file and returns what runs it."""
    try:
        kind.write(model, _inputs(spec, 2, seed=0), list(free), card, file)
        return kind.open(file, torch.device("cpu")).run
    except EssmcError:
        raise
    except Exception as error:
        if free:
            reason = f"with other {' and '.join(free.values())}: {first_line(error)}"
            raise ExportError(f"{type(model).__name__} cannot be exported {reason}") from error
        message = f"{type(model).__name__} cannot be exported so: {type(error).__name__}: {first_line(error)}"
        raise ExportError(message, hint="Another --format may do.") from error


def _compare(
    model: TrainModule, run: Runner, spec: InputSpec, kind: FileFormat, free: Mapping[int, str]
) -> tuple[bool, float]:
    """Returns whether the file takes any batch, and the largest difference on inputs other than the example.

    Raises:
        ExportError: the outputs of the file differ from the model's.
    """
    one = _inputs(spec, 1, seed=1)
    # The negated input too: a trace contains only one branch of what depends on the input.
    difference = max(_difference(model, run, inputs) for inputs in (one, -one))
    for dimension, name in free.items():
        try:
            difference = max(difference, _difference(model, run, _inputs(spec, 1, seed=3, doubled=[dimension])))
        except ExportError:
            raise
        except Exception as error:
            raise ExportError(f"The exported file takes no other {name}: {first_line(error)}") from error
    try:
        difference = max(difference, _difference(model, run, _inputs(spec, 3, seed=2)))
    except ExportError:
        raise
    except Exception as error:
        # A trace may be specialised to the batch it was recorded with.
        if not kind.may_hold_its_batch:
            raise ExportError(f"The exported file does not take batches of 3: {error}") from error
        return False, difference
    return True, difference


def _difference(model: TrainModule, run: Runner, inputs: Tensor) -> float:
    with torch.no_grad():
        expected, found = _tensors(model(inputs)), _tensors(run(inputs))
    if [tensor.shape for tensor in expected] != [tensor.shape for tensor in found]:
        shapes = [[tuple(tensor.shape) for tensor in tensors] for tensors in (found, expected)]
        raise ExportError(f"The exported file gives shapes {shapes[0]}, and the model {shapes[1]}.")
    largest = max(float((one - other).abs().max()) for one, other in zip(expected, found, strict=True))
    # Not `largest > TOLERANCE`: that would let NaN pass.
    if not largest <= TOLERANCE:
        raise ExportError(
            f"The exported file gives other numbers than the model: they differ by up to {largest:.2g}.",
            hint="Nothing was written. Another --format may do.",
        )
    return largest


def _tensors(outputs: Any) -> list[Tensor]:
    if isinstance(outputs, Mapping):
        return list(outputs.values())
    return [outputs] if isinstance(outputs, Tensor) else list(outputs)


def _put_in_place(file: Path, target: Path) -> None:
    with open(file, "rb+") as written:
        os.fsync(written.fileno())
    os.replace(file, target)

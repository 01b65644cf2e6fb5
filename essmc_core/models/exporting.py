"""Exports a model's test mode to one file, whose outputs are compared with the model's before it is put in place."""

from __future__ import annotations

import importlib
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from essmc_core.contract.module import TrainModule
from essmc_core.contract.recording import export_for_any_batch
from essmc_core.errors import ConfigError, EssmcError, MissingDependency
from essmc_core.foundation.json_values import to_json
from essmc_core.foundation.plain_data import plain_data
from essmc_core.inputs import InputSpec
from essmc_core.models.exported import CARD
from essmc_core.models.factory import build_trained
from essmc_core.models.recipes import read_recipe
from essmc_core.zoo.labels import configured_counts
from essmc_core.zoo.recipe import ModelRef, Overrides, Recipe
from essmc_core.zoo.weights_asked import weights_source

Format = Literal["pt2", "torchscript", "onnx"]
Runner = Callable[[Tensor], Any]

SUFFIXES: Mapping[str, str] = {"pt2": ".pt2", "torchscript": ".pt", "onnx": ".onnx"}
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
        format: ``torchscript``, ``pt2`` or ``onnx``.
        bytes: size of the file.
        difference: largest absolute difference between its probabilities and the model's, on inputs that it was not
            exported with.
        input_shape: what it takes, without the batch: e.g. (3, 8, 32, 32).
        any_batch: whether it takes batches of any size; otherwise of one.
        weights: URI of the weights, None for random ones.
    """

    model: str
    path: Path
    format: str
    bytes: int
    difference: float
    input_shape: tuple[int, ...]
    any_batch: bool
    weights: str | None = None


def export_model(
    model: ModelRef,
    path: str | os.PathLike[str] | None = None,
    *,
    format: Format | None = None,
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
        format: ``torchscript`` (traced), ``pt2`` (`torch.export`) or ``onnx``; by default what the suffix of ``path``
            says, else ``pt2``.
        checkpoint: weights to use instead of the entry's.
        random: use random weights.
        overrides: changes of the configuration by path.
        **knobs: changes by the names the entry declares.

    Raises:
        ConfigError: the configuration does not state its input, its labels are not those of the head, or the format
            is unknown.
        WeightsMismatch: the head does not fit the weights, so that its classes would be random.
        WeightsNotFound: the entry names no weights, and neither ``checkpoint`` nor ``random`` was given.
        ExportError: the model cannot be exported, the outputs of the file differ, or it cannot be written.
        MissingDependency: ONNX is requested and its packages are not installed.
    """
    recipe = read_recipe(model, overrides, knobs)
    kind = _format(path, format)
    target = _target(Path(path) if path is not None else Path(Path(recipe.name).stem + SUFFIXES[kind]))
    spec = recipe.input_spec()
    if kind == "onnx":
        _check_onnx()
    source = None if random and checkpoint is None else weights_source(recipe, True, checkpoint)
    recipe.checked_labels(configured_counts(recipe.config))
    built = build_trained(recipe, source).eval()
    weights = None if source is None else str(source.get("uri", source.get("path")))
    try:
        # In the folder of the target, so that the finished file is moved atomically.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".essmc-export-") as folder:
            file = Path(folder, f"model{SUFFIXES[kind]}")
            with warnings.catch_warnings():
                # TorchScript's deprecation and tracer warnings about shapes; the comparison detects real differences.
                warnings.simplefilter("ignore")
                run = _WRITERS[kind](built, spec, _card(recipe, built), file)
                any_batch, difference = _compare(built, run, spec, kind)
            _put_in_place(file, target)
    except OSError as error:
        raise ExportError(f"{target} cannot be written: {error.strerror or error}.") from error
    size = target.stat().st_size
    return Export(recipe.name, target, kind, size, difference, spec.shape, any_batch, weights)


def _format(path: str | os.PathLike[str] | None, given: str | None) -> str:
    if given is not None and given not in get_args(Format):
        raise ConfigError(f"There is no format {given!r}.", hint=f"Choose from {', '.join(SUFFIXES)}.")
    if given is not None or path is None:
        return given or "pt2"
    suffix = Path(path).suffix
    return next((kind for kind, usual in SUFFIXES.items() if usual == suffix), "pt2")


def _target(path: Path) -> Path:
    path = path.expanduser()
    if path.is_dir():
        raise ExportError(f"{path} is a directory.", hint=f"Name a file in it, e.g. {path / 'model.pt2'}.")
    if not path.parent.is_dir():
        raise ExportError(f"There is no directory {path.parent}.", hint=f"mkdir -p {path.parent}")
    return path


def _card(recipe: Recipe, built: TrainModule) -> str:
    """Returns the metadata of the file as JSON."""
    labels = recipe.labels()
    spec = InputSpec.from_mapping(recipe.section("input"))
    with torch.no_grad():
        outputs = built(_inputs(spec, 1, seed=0))
    facts = {
        "input": plain_data(recipe.section("input")),
        "labels": labels,
        "outputs": list(outputs) if isinstance(outputs, Mapping) else [],
        "card": plain_data(built.card or {}),
    }
    return to_json(facts)


def _inputs(spec: InputSpec, batch: int, seed: int) -> Tensor:
    return torch.randn((batch, *spec.shape), generator=torch.Generator().manual_seed(seed))


def _write_torchscript(model: TrainModule, spec: InputSpec, card: str, file: Path) -> Runner:
    example = _inputs(spec, 1, seed=0)
    with torch.no_grad():
        strict = not isinstance(model(example), Mapping)
        traced = _or_explain(lambda: _traced(model, example, strict), model)
    torch.jit.save(traced, str(file), _extra_files={CARD: card})
    loaded: Runner = torch.jit.load(str(file))  # type: ignore[no-untyped-call]
    return loaded


def _traced(model: TrainModule, example: Tensor, strict: bool) -> Any:
    return torch.jit.trace(model, example, strict=strict, check_trace=False)  # type: ignore[no-untyped-call]


def _write_pt2(model: TrainModule, spec: InputSpec, card: str, file: Path) -> Runner:
    program = _or_explain(lambda: export_for_any_batch(model, _inputs(spec, 2, seed=0)), model)
    torch.export.save(program, str(file), extra_files={CARD: card})
    loaded: Runner = torch.export.load(str(file)).module()
    return loaded


def _write_onnx(model: TrainModule, spec: InputSpec, card: str, file: Path) -> Runner:
    import onnx  # type: ignore[import-not-found,import-untyped,unused-ignore]
    import onnxruntime  # type: ignore[import-not-found,import-untyped,unused-ignore]

    program = _or_explain(lambda: export_for_any_batch(model, _inputs(spec, 2, seed=0)), model)
    converted = _or_explain(lambda: torch.onnx.export(program, (), dynamo=True, verbose=False), model)
    proto = converted.model_proto
    proto.metadata_props.add(key=CARD, value=card)
    onnx.save(proto, str(file))
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(inputs: Tensor) -> list[Tensor]:
        given = {session.get_inputs()[0].name: inputs.numpy()}
        return [torch.from_numpy(array) for array in session.run(names, given)]

    return run


_WRITERS: Mapping[str, Callable[[TrainModule, InputSpec, str, Path], Runner]] = {
    "torchscript": _write_torchscript,
    "pt2": _write_pt2,
    "onnx": _write_onnx,
}


def _check_onnx() -> None:
    try:
        for package in ("onnx", "onnxscript", "onnxruntime"):
            importlib.import_module(package)
    except ImportError as error:
        message = f"ONNX files are made and checked with {error.name}, which is not installed."
        raise MissingDependency(message, hint="pip install onnx onnxscript onnxruntime") from error


def _or_explain(write: Callable[[], Any], model: TrainModule) -> Any:
    try:
        return write()
    except EssmcError:
        raise
    except Exception as error:
        first = (str(error).strip().splitlines() or ["no message"])[0]
        message = f"{type(model).__name__} cannot be exported so: {type(error).__name__}: {first}"
        raise ExportError(message, hint="Another --format may do.") from error


def _compare(model: TrainModule, run: Runner, spec: InputSpec, kind: str) -> tuple[bool, float]:
    """Returns whether the file takes any batch, and the largest difference on inputs other than the example.

    Raises:
        ExportError: the outputs of the file differ from the model's.
    """
    one = _inputs(spec, 1, seed=1)
    # The negated input too: a trace contains only one branch of what depends on the input.
    difference = max(_difference(model, run, inputs) for inputs in (one, -one))
    try:
        difference = max(difference, _difference(model, run, _inputs(spec, 3, seed=2)))
    except ExportError:
        raise
    except Exception as error:
        # A trace may be specialised to the batch it was recorded with.
        if kind != "torchscript":
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

"""Predicts classes of images and videos: the model's own preprocessing, the mean over its views, the best classes."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, overload

import torch
from torch import Tensor, nn

from essmc_core.contract.engine import Precision
from essmc_core.contract.module import TrainModule
from essmc_core.errors import ConfigError, InputError
from essmc_core.inputs import InputSpec, Views, load_image, load_segments, load_views
from essmc_core.inputs.ahead import read_ahead
from essmc_core.inputs.clip import Segments
from essmc_core.inputs.in_memory import describe_in_memory, is_in_memory, load_in_memory
from essmc_core.inputs.media_files import media_files
from essmc_core.inputs.path_list import is_path_list, read_path_list
from essmc_core.inputs.spec import MAX_VIEWS
from essmc_core.inputs.wrong_kind import explain_wrong_input
from essmc_core.models.checked_loading import stated_fingerprint
from essmc_core.models.exported import is_export
from essmc_core.models.formats.file_format import Network
from essmc_core.models.predicted import Prediction, Ranked, Segment, rank
from essmc_core.models.ready_model import (
    ReadyModel,
    Replacement,
    device_of,
    from_export,
    from_module,
    from_recipe,
    module_device,
)
from essmc_core.models.recipes import read_recipe
from essmc_core.zoo.recipe import ModelRef, Overrides, Recipe
from essmc_core.zoo.weights_asked import weights_source

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

Given: TypeAlias = "str | os.PathLike[str] | Image | NDArray[Any] | Tensor"
OnError = Literal["raise", "keep"]


@overload
def predict(
    model: ModelRef | TrainModule,
    inputs: Given,
    *,
    topk: int = ...,
    checkpoint: str | os.PathLike[str] | Mapping[str, Any] | None = ...,
    random: bool = ...,
    device: str | None = ...,
    views: tuple[int, int] | None = ...,
    segments: Segments | None = ...,
    input: InputSpec | Mapping[str, Any] | None = ...,
    labels: Sequence[str] | None = ...,
    on_error: OnError = ...,
    workers: int = ...,
    engine: str | Mapping[str, Any] | None = ...,
    precision: Precision = ...,
    overrides: Overrides = ...,
    **knobs: Any,
) -> Prediction: ...
@overload
def predict(
    model: ModelRef | TrainModule,
    inputs: Iterable[Given],
    *,
    topk: int = ...,
    checkpoint: str | os.PathLike[str] | Mapping[str, Any] | None = ...,
    random: bool = ...,
    device: str | None = ...,
    views: tuple[int, int] | None = ...,
    segments: Segments | None = ...,
    input: InputSpec | Mapping[str, Any] | None = ...,
    labels: Sequence[str] | None = ...,
    on_error: OnError = ...,
    workers: int = ...,
    engine: str | Mapping[str, Any] | None = ...,
    precision: Precision = ...,
    overrides: Overrides = ...,
    **knobs: Any,
) -> list[Prediction]: ...
def predict(
    model: ModelRef | TrainModule,
    inputs: Given | Iterable[Given],
    *,
    topk: int = 5,
    checkpoint: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    random: bool = False,
    device: str | None = None,
    views: tuple[int, int] | None = None,
    segments: Segments | None = None,
    input: InputSpec | Mapping[str, Any] | None = None,
    labels: Sequence[str] | None = None,
    on_error: OnError = "raise",
    workers: int = 0,
    engine: str | Mapping[str, Any] | None = None,
    precision: Precision = "fp32",
    overrides: Overrides = (),
    **knobs: Any,
) -> Prediction | list[Prediction]:
    """Classifies images or videos; the network is built once for all of them.

    Args:
        model: a zoo name, a YAML file or mapping with ``model`` and ``input``, a model that is built, or a file that
            `essmc export` wrote.
        inputs: a path (``pkg://distribution/path`` is one of an installed package), a PIL image, or an array of uint8:
            (H, W, 3) of an image, (T, H, W, 3) of a clip. Or several: a folder, whose images or videos are used, a
            text file (.txt) with a path a line, or a list or other iterable of any of these.
        topk: how many classes to return; all of them if there are fewer.
        checkpoint: weights to use instead of the entry's.
        random: use random weights; for trying shapes and speed.
        device: where to run: ``cpu``, ``cuda``, ``cuda:1``, ``mps``, or ``auto`` for the fastest available. None is the
            CPU, or the device of a built model.
        views: (temporal, spatial) views of a video whose probabilities are averaged; by default those of the entry's
            ``input.views``, and one view for segments and for random weights.
        segments: seconds; the video is cut into segments of that length, each classified by itself. Or where each
            begins and ends, in seconds, as `essmc_shots.find_shots` finds them. Within a segment frames are chosen as
            within a video.
        input: input specification of a built model, if its card has none.
        labels: class names by index of a built model, if its card has none.
        on_error: of several inputs, ``raise`` at the first that cannot be read, or ``keep`` its error in place of its
            prediction.
        workers: how many inputs threads read in advance while the network works; 0 reads each when its turn has come.
        engine: what runs the model: ``auto`` for what is fastest here, or the name or configuration of an engine, see
            `essmc_core.optimize`; None is PyTorch as it is.
        precision: what that engine computes in: ``fp32``, ``bf16``, ``fp16`` or ``int8``.
        overrides: changes of the configuration by path.
        **knobs: changes by the names the entry declares.

    Returns:
        One prediction, or a list of them in the order of the inputs if several were given.

    Raises:
        InputError: an input is missing or not what the model takes.
        WeightsNotFound: the entry names no weights, and neither ``checkpoint`` nor ``random`` was given.
        WeightsMismatch: the head does not fit the weights, so that its classes would be random.
        NotAnExport: the file was not written by `essmc export`.
        ConfigError: the configuration does not state its input, its labels are not those of the head, or this machine
            has no such device.
        UnknownComponent: there is no such engine.
        EngineError: the engine does not run here, or does not compute what the model does.
    """
    options: dict[str, Any] = {"checkpoint": checkpoint, "random": random, "overrides": overrides, "knobs": knobs}
    options |= {"engine": engine, "precision": precision}
    ready = get_ready(model, device=device, input=input, labels=labels, **options)
    found = predict_each(ready, inputs, topk=topk, views=views, segments=segments, on_error=on_error, workers=workers)
    return list(found) if _are_several(inputs) else next(found)


def get_ready(
    model: ModelRef | TrainModule,
    *,
    checkpoint: str | os.PathLike[str] | Mapping[str, Any] | None,
    random: bool,
    device: str | None,
    input: InputSpec | Mapping[str, Any] | None,
    labels: Sequence[str] | None,
    overrides: Overrides,
    knobs: Mapping[str, Any],
    check: bool = False,
    engine: str | Mapping[str, Any] | None = None,
    precision: Precision = "fp32",
) -> ReadyModel:
    """Returns the model that `predict` runs; arguments as there. A named model is built on first use.

    With ``check``, one that has its own weights and states a fingerprint is compared with it when it is built.
    """
    if not isinstance(model, (TrainModule, str, os.PathLike, Mapping)):
        raise ConfigError(
            f"something of type {type(model).__name__} is no model",
            hint="Give a name, a path, a configuration or a TrainModule, such as Classifier with a backbone.",
        )
    if isinstance(model, TrainModule) or is_export(model):
        changed = {"checkpoint": checkpoint, "overrides": overrides, **knobs}
        useless = [name for name, value in changed.items() if value is not None and value != ()]
        if useless or random:
            kind = "a model that is built" if isinstance(model, TrainModule) else f"{model}, an exported file,"
            raise ConfigError(f"{kind} cannot be changed: {', '.join(useless or ['random'])} has no meaning for it")
    place = module_device(model) if isinstance(model, TrainModule) and device is None else device_of(device)
    runs = _by_engine(engine, precision, place)
    if runs is not None and is_export(model):
        raise ConfigError(f"{model}, an exported file, is run as it is", hint="Leave out the engine and the precision.")
    if isinstance(model, TrainModule):
        return from_module(model if device is None else model.to(place), place, input, labels, runs)
    if input is not None or labels is not None:
        raise ConfigError("input and labels are for models that are built; a configuration has them as sections")
    if is_export(model):
        return from_export(Path(model), place)  # type: ignore[arg-type]
    recipe = read_recipe(model, overrides, knobs)
    _require_classifier(recipe)
    source = None if random and checkpoint is None else weights_source(recipe, True, checkpoint)
    has_own = source is not None and checkpoint is None and stated_fingerprint(recipe) is not None
    return from_recipe(recipe, source, place, check=check and has_own, engine=runs)


def _require_classifier(recipe: Recipe) -> None:
    """Refuses a model that has a command of its own, because its outputs are no classes of a file."""
    command = recipe.config.get("command") if recipe.prefix else None
    if command:
        raise ConfigError(
            f"the outputs of {recipe.name} are no classes of a picture or video",
            where=recipe.config.where("command"),
            hint=f"`{command}` is what it is for; essmc_core.build_model({recipe.name!r}) gives the model itself",
        )


def _by_engine(
    engine: str | Mapping[str, Any] | None, precision: Precision, device: torch.device
) -> Replacement | None:
    """Returns what lets an engine run a model, None for PyTorch as it is; it is checked before anything is read."""
    if engine is None and precision == "fp32":
        return None
    from essmc_core.models.engines.asked import check_asked

    asked = engine or "auto"
    check_asked(asked, precision, device)

    def optimized(network: Network, batch: Tensor) -> Network:
        from essmc_core.models.engines.optimizing import optimize

        assert isinstance(network, nn.Module)
        return optimize(network, batch, engine=asked, precision=precision)

    return optimized


def predict_each(
    ready: ReadyModel,
    inputs: Given | Iterable[Given],
    *,
    topk: int = 5,
    views: tuple[int, int] | None = None,
    segments: Segments | None = None,
    on_error: OnError = "raise",
    workers: int = 0,
) -> Iterator[Prediction]:
    """Yields a prediction for each input; arguments as for `predict`."""
    if not isinstance(topk, Integral) or topk < 1:
        raise ConfigError(f"topk is {topk}; give a whole number of at least 1")
    if on_error not in ("raise", "keep"):
        raise ConfigError(f"on_error is {on_error!r}; give 'raise' or 'keep'")
    how = _views(ready.spec, views, segments, single=ready.weights is None and not ready.is_built)
    if not isinstance(workers, Integral) or workers < 0:
        raise ConfigError(f"workers is {workers}; give a whole number of at least 0")

    def read(given: Given) -> Generator[tuple[float, float, Tensor], None, None]:
        return _parts(given, ready.spec, how, segments)

    for given, parts in read_ahead(each_input(inputs, ready.spec), read, workers):
        try:
            yield _predict_one(ready, given, parts, topk, is_parted=segments is not None)
        except InputError as error:
            if on_error == "raise":
                raise
            yield Prediction(ready.name, _name_of(given), (), error=str(error))


def _predict_one(
    ready: ReadyModel, given: Given, parts: Iterator[tuple[float, float, Tensor]], topk: int, *, is_parted: bool
) -> Prediction:
    spans: list[tuple[float, float]] = []
    shapes: list[tuple[int, ...]] = []

    def views() -> Iterator[Tensor]:
        for start, end, tensor in parts:
            spans.append((start, end))
            shapes.append(tuple(tensor.shape))
            yield tensor

    # The file is read before the network is built, so that a wrong path fails at once.
    found = list(ready.average_each(views()))
    whole = {key: torch.cat([outputs[key] for outputs in found]).mean(0, keepdim=True) for key in found[0]}
    labels = ready.labels(whole)
    segments = zip(spans, found, strict=True) if is_parted else ()
    return Prediction(
        model=ready.name,
        file=_name_of(given),
        predictions=rank(whole, labels, topk),
        input_shape=shapes[0],
        weights=ready.weights,
        card=ready.card,
        segments=[Segment(start, end, rank(outputs, labels, topk)) for (start, end), outputs in segments],
    )


def _are_several(inputs: Given | Iterable[Given]) -> bool:
    if isinstance(inputs, (str, os.PathLike)):
        return Path(inputs).is_dir() or is_path_list(inputs)
    return not is_in_memory(inputs)


def each_input(inputs: Given | Iterable[Given], spec: InputSpec) -> Iterator[Given]:
    """Yields single inputs; a folder or a list of paths, alone or among others, is replaced by the files in it."""
    alone = isinstance(inputs, (str, os.PathLike)) or is_in_memory(inputs) or not isinstance(inputs, Iterable)
    for given in cast("Iterable[Any]", [inputs] if alone else inputs):
        if isinstance(given, (str, os.PathLike)) and Path(given).is_dir():
            yield from media_files(Path(given), spec.modality)
        elif isinstance(given, (str, os.PathLike)) and is_path_list(given):
            yield from read_path_list(given)
        elif isinstance(given, (str, os.PathLike)) or is_in_memory(given):
            yield given
        else:
            raise InputError(f"a {type(given).__name__} is no input", hint="Give paths, PIL images or arrays of uint8.")


def _name_of(given: Given) -> str:
    return os.fspath(given) if isinstance(given, (str, os.PathLike)) else describe_in_memory(given)


def _views(spec: InputSpec, given: tuple[int, int] | None, segments: Segments | None, *, single: bool) -> Views:
    """Returns how many views to average over.

    Raises:
        InputError: views or segments of a model that takes images.
        ConfigError: a number that is not positive.
    """
    if spec.modality == "image":
        if segments is not None or given not in (None, (1, 1)):
            raise InputError("Only videos have segments and several views.", hint=f"The model takes {spec}.")
        return Views()
    if isinstance(segments, (int, float)) and not 0 < segments < float("inf"):
        raise ConfigError(f"Segments of {segments} seconds are impossible.", hint="Give a number above 0.")
    if isinstance(segments, Sequence) and not segments:
        raise ConfigError("There are no segments to classify.", hint="Give where each begins and ends, in seconds.")
    if given is not None:
        if min(given) < 1:
            raise ConfigError(f"{given[0]}x{given[1]} views are too few.", hint="Give 1x1 or more.")
        if given[0] * given[1] > MAX_VIEWS:
            raise ConfigError(f"{given[0]}x{given[1]} views are too many.", hint=f"Give at most {MAX_VIEWS:,}.")
        return Views(*given)
    return Views() if segments is not None or single else Views(**(spec.views or {}))


def _parts(
    given: Given, spec: InputSpec, views: Views, segments: Segments | None
) -> Generator[tuple[float, float, Tensor], None, None]:
    """Yields start, end and views of the whole file or of its segments."""
    if not isinstance(given, (str, os.PathLike)):
        if segments is not None:
            raise InputError("Only files have seconds to cut segments by.", hint="Cut the array instead.")
        yield 0.0, 0.0, load_in_memory(given, spec, views)
        return
    path = _local(given)
    with explain_wrong_input(path, spec):
        if segments is not None:
            yield from load_segments(path, spec, segments, views)
        else:
            yield 0.0, 0.0, load_image(path, spec) if spec.modality == "image" else load_views(path, spec, views)


def _local(path: str | os.PathLike[str]) -> str | os.PathLike[str]:
    if isinstance(path, str) and path.startswith("pkg://"):
        from essmc_core.weights.package_files import find_package_file

        return find_package_file(path)
    return path


__all__ = ["Prediction", "Ranked", "Segment", "TrainModule", "predict", "rank"]

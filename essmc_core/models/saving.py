"""Saves a model in one file that rebuilds it, which is verified before anything is written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from essmc_core.building.construct import construct
from essmc_core.contract.module import TrainModule
from essmc_core.errors import ConfigError
from essmc_core.foundation.terminal_status import status
from essmc_core.models.description import NotRebuildable, describe_model
from essmc_core.models.dtypes import adopt_dtypes
from essmc_core.models.file_fingerprint import with_fingerprint
from essmc_core.models.recipes import read_recipe, resolve_recipe
from essmc_core.models.sameness import changed_buffers, differences, in_words
from essmc_core.weights import WeightsSource, skip_init
from essmc_core.weights.described_file import NotWritten, write_described
from essmc_core.weights.judgement import judge
from essmc_core.weights.load import execute_plan
from essmc_core.weights.plan import plan_load
from essmc_core.weights.state_dict import strip_key
from essmc_core.zoo.trained import stored_config

_DEPTH = 8


def save(
    model: nn.Module,
    path: str | os.PathLike[str],
    *,
    config: Mapping[str, Any] | None = None,
    input: Mapping[str, Any] | None = None,
    labels: Sequence[str] | None = None,
    check: bool = True,
) -> Path:
    """Saves a model in one safetensors file, from which `load` rebuilds it bit by bit, with no other file.

    The file holds every tensor, and in its metadata the configuration, the packs with their versions and origins, the
    class names, the input specification, where the weights came from and under what licence they are. Before it is
    written, the configuration is built and compared with the model: its modules and their arguments, the names, shapes
    and ties of its tensors, and the buffers that are computed instead of stored.

    Args:
        model: from `build_model` or `load`, on any device, of any dtype. DDP, DataParallel, `torch.compile` and
            averaging by `torch.optim.swa_utils.AveragedModel` around it, or around its parts, are left out.
        path: a file that ends in ``.safetensors``; one that is there is replaced in one step.
        config: the configuration that builds it, as `build_model` takes it, for a model that was built by hand.
        input: its input specification, if the configuration has none.
        labels: class names by index, if the configuration has none.
        check: state in the file what the network computes, as zoo entries do (`check`), which `load(check=True)`,
            `essmc verify FILE` and the first `essmc predict` compare. It takes a few forward passes in double
            precision, and is left out for models without an input specification and for those in double precision.

    Returns:
        The path.

    Raises:
        NotRebuildable: the configuration builds another model, or the model holds what a file cannot: tensors without
            values, of quantised, sparse or sharded kinds, or a state that is no tensor.
        ConfigError: the configuration holds something else than plain data.
        WeightsMismatch: values are not finite.
        NotWritten: the disk is full, or there is no such folder.
    """
    target = _target(path)
    inner = unwrapped(model)
    description = describe_model(inner, config, input=input, labels=labels)
    tensors = _tensors(inner)
    built = _built(description)
    _make_same(inner, built, tensors, target)
    if check and not any(tensor.dtype == torch.float64 for tensor in tensors.values()):
        with status(f"computing what {description['model']} computes"):
            description = with_fingerprint(description, built, _start_of(inner) if config is None else None)
    write_described(target, tensors, description)
    return target


def _start_of(model: TrainModule) -> Mapping[str, Any] | None:
    config = (model.card or {}).get("config")
    return config if isinstance(config, Mapping) else None


def unwrapped(model: nn.Module) -> TrainModule:
    """Returns the model inside of DDP, DataParallel, `torch.compile` and averages.

    Raises:
        NotRebuildable: there is no `TrainModule` inside.
    """
    inner: Any = model
    for _ in range(_DEPTH):
        if isinstance(inner, TrainModule):
            return inner
        inner = getattr(inner, "_orig_mod", None) or getattr(inner, "module", None)
    kind = type(model).__name__
    raise NotRebuildable(
        f"a {kind} is no whole model, which has a backbone, a head and a configuration",
        hint="give a TrainModule; of a part alone, torch.save(part.state_dict(), path) keeps the weights",
    )


def _target(path: str | os.PathLike[str]) -> Path:
    target = Path(path).expanduser()
    if target.is_dir():
        raise NotWritten(f"{target} is a directory.", hint=f"Name a file in it, e.g. {target / 'model.safetensors'}.")
    if target.suffix != ".safetensors":
        raise ConfigError(f"{target} does not end in .safetensors, the format that is written")
    if not target.parent.is_dir():
        raise NotWritten(f"There is no directory {target.parent}.", hint=f"mkdir -p {target.parent}")
    return target


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for key, value in model.state_dict(keep_vars=True).items():
        if reason := _unstorable(value):
            raise NotRebuildable(f"{key} {reason}, which a file of tensors cannot hold")
        found[strip_key(key)] = value.detach()
    return found


def _unstorable(value: object) -> str:
    if not isinstance(value, Tensor):
        return f"is a {type(value).__name__}"
    if nn.parameter.is_lazy(value):
        return "has no shape until the model ran once"
    if value.is_meta:
        return "is on the meta device, without values"
    if type(value) not in (Tensor, nn.Parameter, nn.Buffer):
        return f"is a {type(value).__name__}, a share or another form of a tensor"
    if value.is_quantized or value.layout is not torch.strided:
        return "is quantised or sparse"
    return ""


def _built(description: Mapping[str, Any]) -> TrainModule:
    """Returns what `load` will build from a description, its parameters without values."""
    recipe = read_recipe(stored_config({"card": description}))
    with skip_init():
        model: TrainModule = construct(resolve_recipe(recipe).model)
    return model


def _make_same(model: TrainModule, built: TrainModule, tensors: Mapping[str, Tensor], target: Path) -> None:
    """Gives what `load` will build the values of a model; raises unless it is the same then."""
    found = differences(model, built)
    if not found:
        adopt_dtypes(built, {name: tensor.dtype for name, tensor in tensors.items()})
        found = [f"the values of {name}, which are computed instead of stored" for name in
                 changed_buffers(model, built)]  # fmt: skip
    if found:
        raise NotRebuildable(
            f"the configuration of this {type(model).__name__} builds another model: {in_words(found)}",
            hint="build it as it is, e.g. with overrides=; or give the configuration that does: save(…, config=…)",
        )
    source = WeightsSource(str(target), strict=True)
    plan = plan_load(built, {name: tensor.cpu() for name, tensor in tensors.items()}, source)
    if error := judge(built, plan, source, "use"):
        raise error
    execute_plan(built, plan)

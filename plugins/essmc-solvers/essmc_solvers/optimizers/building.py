"""From configurations to optimizers and schedules of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn
from torch.optim import Optimizer, SparseAdam

from essmc_core import LR_SCHEDULERS, OPTIMIZERS
from essmc_core.errors import ConfigError, EssmcError
from essmc_core.registry.reading import live_signature
from essmc_core.registry.registry import Registry
from essmc_solvers.optimizers.parameter_groups import GroupRules, make_groups, split_by_module, trainable_parameters

ONE = ""
"""Key of a run's only optimizer."""


def build_optimizers(model: nn.Module, config: Any, rules: GroupRules) -> dict[str, Optimizer]:
    """Builds the optimizers of a model.

    Args:
        model: whose parameters to train.
        config: a name, a mapping with ``type``, an optimizer, or a mapping from submodule to any of them.
        rules: how to divide parameters into groups.

    Returns:
        Optimizers by submodule; by the empty string if there is only one.

    Raises:
        ConfigError: no optimizer is configured, or parameters and optimizers do not go together.
    """
    if config is None:
        raise ConfigError("training needs an optimizer", hint="e.g. solver.optimizer={type: AdamW, lr: 1e-3}")
    if isinstance(config, Optimizer):
        _check_built(model, config)
        return {ONE: config}
    if not isinstance(config, (str, Mapping)):
        raise ConfigError(
            f"an optimizer is a name, a mapping with `type`, or an optimizer that is built, got {config!r}",
            hint="e.g. optimizer={'type': 'AdamW', 'lr': 1e-3}",
        )
    parameters = trainable_parameters(model)
    if isinstance(config, str) or "type" in config:
        return {ONE: _build_optimizer(model, parameters, config, rules)}
    split = split_by_module(parameters, config)
    return {
        prefix: _build_optimizer(model, {name: parameters[name] for name in names}, config[prefix], rules)
        for prefix, names in split.items()
    }


def build_schedulers(optimizers: Mapping[str, Optimizer], config: Any) -> dict[str, Any]:
    """Builds the schedules of some optimizers.

    Args:
        optimizers: by submodule.
        config: a name or a mapping with ``type``, for each of them; a mapping from submodule to such; or None.

    Returns:
        Schedules by the keys of ``optimizers``.

    Raises:
        ConfigError: a schedule is for an optimizer that does not exist.
    """
    if config is None:
        return {}
    if isinstance(config, str) or not isinstance(config, Mapping) or "type" in config:
        if not isinstance(config, (str, Mapping)) and len(optimizers) > 1:
            raise ConfigError("one schedule object cannot serve several optimizers; give one for each")
        return {key: _build_scheduler(optimizer, config) for key, optimizer in optimizers.items()}
    unknown = [key for key in config if key not in optimizers]
    if unknown:
        raise ConfigError(f"lr_scheduler names {unknown[0]!r}; the optimizers are {', '.join(map(repr, optimizers))}")
    return {key: _build_scheduler(optimizers[key], part) for key, part in config.items()}


def _check_built(model: nn.Module, optimizer: Optimizer) -> None:
    """Refuses an optimizer of another model, which would train nothing of this one."""
    own = set(map(id, model.parameters()))
    if not any(id(parameter) in own for group in optimizer.param_groups for parameter in group["params"]):
        raise ConfigError(
            f"the {type(optimizer).__name__} has none of the model's parameters, so nothing would be trained",
            hint="Build it from model.parameters() of the model that is trained.",
        )


def _build_optimizer(
    model: nn.Module, parameters: Mapping[str, nn.Parameter], config: Any, rules: GroupRules
) -> Optimizer:
    if isinstance(config, Optimizer):
        return config
    arguments = {"type": config} if isinstance(config, str) else config
    groups = make_groups(model, parameters, rules, arguments)
    try:
        built: Optimizer = _build_with(OPTIMIZERS, arguments, groups)
    except EssmcError:
        raise
    except Exception as error:
        raise ConfigError(_told(arguments, error), hint=_advice(arguments, error)) from error
    if isinstance(built, SparseAdam):
        _check_sparse(model, parameters)
    return built


def _told(arguments: Mapping[str, Any], error: Exception) -> str:
    cause = str(error) or type(error).__name__
    return f"{arguments['type']} cannot be built: {cause.splitlines()[0]}"


def _advice(arguments: Mapping[str, Any], error: Exception) -> str:
    name, cause = arguments["type"], str(error).lower()
    if any(word in cause for word in ("cuda", "apex", "bitsandbytes")):
        return f"{name} needs what this machine does not have; those without bnb or fused in their names run anywhere."
    if "2d param" in cause or "2d tensor" in cause:
        return (
            f"{name} is for weights that are matrices; give the rest another optimizer: "
            f"optimizer: {{head: {{type: {name}, lr: …}}, '*': {{type: AdamW, lr: …}}}}."
        )
    if arguments.get("lr") is None:
        return f"Give it a learning rate: optimizer: {{type: {name}, lr: 1e-3}}."
    return f"`essmc show {name}` shows what it takes."


def _check_sparse(model: nn.Module, parameters: Mapping[str, nn.Parameter]) -> None:
    sparse = {
        id(parameter)
        for module in model.modules()
        if getattr(module, "sparse", False)
        for parameter in module.parameters(recurse=False)
    }
    dense = [name for name, parameter in parameters.items() if id(parameter) not in sparse]
    if dense:
        raise ConfigError(
            f"SparseAdam takes sparse gradients alone, and that of {dense[0]!r} is dense",
            hint="It is for nn.Embedding(sparse=True); give the rest another optimizer, e.g. Adam.",
        )


def _build_scheduler(optimizer: Optimizer, config: Any) -> Any:
    if not isinstance(config, (str, Mapping)):
        if isinstance(config, type) or not callable(getattr(config, "step", None)):
            raise ConfigError(
                f"a schedule is a name, a mapping with `type`, or a schedule that is built, got {config!r}",
                hint="e.g. lr_scheduler={'type': 'CosineAnnealingLR', 'T_max': 10}",
            )
        return config
    arguments = {"type": config} if isinstance(config, str) else dict(config)
    inner = arguments.get("schedulers")
    if isinstance(inner, Sequence) and not isinstance(inner, str):
        # SequentialLR and ChainedScheduler are made of schedules of the same optimizer.
        arguments["schedulers"] = [_build_scheduler(optimizer, part) for part in inner]
    try:
        if arguments.get("type") == "ChainedScheduler":
            return LR_SCHEDULERS["ChainedScheduler"](arguments["schedulers"], optimizer)
        return _build_with(LR_SCHEDULERS, arguments, optimizer)
    except EssmcError:
        raise
    except Exception as error:
        hint = f"`essmc show {arguments['type']}` shows what it takes."
        raise ConfigError(_told(arguments, error), hint=hint) from error


def _build_with(registry: Registry, config: Mapping[str, Any], subject: Any) -> Any:
    """Builds a component whose first argument, whatever its name, is what it works on."""
    if "type" not in config:
        raise ConfigError(f"a {registry.singular} needs a `type`", hint=f"`essmc list {registry.kind}` shows the names")
    first = live_signature(registry.component(config["type"])).parameters[0].name
    return registry.build(config, **{first: subject})

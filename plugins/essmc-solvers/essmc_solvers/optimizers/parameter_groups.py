"""Which parameters share a learning rate and a weight decay, and which optimizer takes them."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn
from torch.optim import Optimizer

from essmc_core.errors import ConfigError
from essmc_core.foundation.names import did_you_mean

_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
REST = "*"


@dataclass(frozen=True)
class GroupRules:
    """How to divide parameters into groups.

    Attributes:
        param_groups: mappings with ``match``, a pattern or patterns of parameter names (``backbone.*``), and what the
            optimizer's group gets: ``lr``, ``weight_decay`` …, or ``lr_scale`` and ``decay_scale``, which multiply
            what the optimizer has. The first that matches counts.
        bn_weight_decay: weight decay of the scales and shifts of norm layers; None for that of the rest.
        no_decay: patterns of parameter names without weight decay, beside those that the model's own
            ``no_weight_decay()`` names.
    """

    param_groups: Sequence[Mapping[str, Any]] = ()
    bn_weight_decay: float | None = None
    no_decay: Sequence[str] = field(default=())

    def check_effect_on(self, optimizer: object) -> None:
        """Refuses rules for an optimizer that has its groups already.

        Raises:
            ConfigError: there are rules, and the optimizer is built.
        """
        has_rules = bool(self.param_groups or self.no_decay or self.bn_weight_decay is not None)
        if has_rules and isinstance(optimizer, Optimizer):
            raise ConfigError(
                "param_groups, bn_weight_decay and no_decay have no effect on an optimizer that is built already",
                hint="Give it groups as it is built, or give its configuration: {'type': 'AdamW', 'lr': 1e-3}.",
            )


def trainable_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Returns the parameters to train by name, shared ones once.

    Raises:
        ConfigError: there are none.
    """
    found = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if not found:
        raise ConfigError("the model has no parameter to train: all are frozen, or it has none")
    return found


def split_by_module(parameters: Mapping[str, nn.Parameter], prefixes: Iterable[str]) -> dict[str, list[str]]:
    """Divides parameter names among submodules: the longest prefix takes a name, ``*`` what is left.

    Raises:
        ConfigError: a prefix takes nothing, or a name is left over.
    """
    split: dict[str, list[str]] = {prefix: [] for prefix in prefixes}
    left: list[str] = []
    for name in parameters:
        owners = [prefix for prefix in split if prefix != REST and f"{name}.".startswith(f"{prefix}.")]
        owner = max(owners, key=len) if owners else REST
        if owner not in split:
            left.append(name)
        else:
            split[owner].append(name)
    if left:
        parts = list(dict.fromkeys(_part_beside(name, [prefix for prefix in split if prefix != REST]) for name in left))
        raise ConfigError(
            f"no optimizer takes the parameter {left[0]!r}" + (f" and {len(left) - 1} more" if left[1:] else ""),
            hint=f"solver.freeze: [{', '.join(parts)}] leaves them as they are; or name their submodules, or add an "
            "optimizer '*' for all that is left.",
        )
    for prefix, names in split.items():
        if not names:
            suggestion = did_you_mean(prefix, {name.partition(".")[0] for name in parameters})
            message = f"the optimizer {prefix!r} has no parameter to train: no parameter name starts with it"
            raise ConfigError(message, hint=suggestion or "Are all of its parameters frozen?")
    return split


def _part_beside(name: str, prefixes: Sequence[str]) -> str:
    """Returns the largest part around a parameter that holds nothing of the submodules with optimizers."""
    parts = name.split(".")
    for length in range(1, len(parts)):
        front = ".".join(parts[:length])
        if not any(f"{prefix}.".startswith(f"{front}.") for prefix in prefixes):
            return front
    return name


def make_groups(
    model: nn.Module, parameters: Mapping[str, nn.Parameter], rules: GroupRules, optimizer: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Returns parameter groups for an optimizer.

    Args:
        model: whose parameters they are.
        parameters: by name; each ends up in one group.
        rules: how to divide them.
        optimizer: the optimizer's configuration, for ``lr`` and ``weight_decay`` to scale.

    Raises:
        ConfigError: a pattern matches nothing, or there is nothing to scale.
    """
    norms = _norm_parameters(model)
    without_decay = [*rules.no_decay, *_own_no_decay(model)]
    _check_used([*_patterns(rules.param_groups), *rules.no_decay], model)
    _check_trains(_patterns(rules.param_groups), model)
    groups: dict[tuple[tuple[str, Any], ...], dict[str, Any]] = {}
    for name, parameter in parameters.items():
        settings = _settings(name, rules.param_groups, optimizer)
        if matches_any(name, without_decay):
            settings.setdefault("weight_decay", 0.0)
        elif name in norms and rules.bn_weight_decay is not None:
            settings.setdefault("weight_decay", rules.bn_weight_decay)
        key = tuple(sorted(settings.items()))
        groups.setdefault(key, {**settings, "params": []})["params"].append(parameter)
    return list(groups.values())


def _settings(name: str, rules: Sequence[Mapping[str, Any]], optimizer: Mapping[str, Any]) -> dict[str, Any]:
    for rule in rules:
        if matches_any(name, _as_patterns(rule["match"])):
            settings = {key: value for key, value in rule.items() if key not in ("match", "lr_scale", "decay_scale")}
            for scale, target in (("lr_scale", "lr"), ("decay_scale", "weight_decay")):
                if scale in rule:
                    settings[target] = _scaled(rule[scale], target, optimizer)
            return settings
    return {}


def _scaled(factor: float, target: str, optimizer: Mapping[str, Any]) -> float:
    if target not in optimizer:
        raise ConfigError(f"a parameter group scales {target!r}, which the optimizer's configuration does not give")
    return float(optimizer[target]) * factor


def _patterns(rules: Sequence[Mapping[str, Any]]) -> list[str]:
    for rule in rules:
        if "match" not in rule:
            raise ConfigError("a parameter group needs `match`, e.g. {match: 'backbone.*', lr_scale: 0.1}")
    return [pattern for rule in rules for pattern in _as_patterns(rule["match"])]


def _as_patterns(match: Any) -> tuple[str, ...]:
    return (match,) if isinstance(match, str) else tuple(match)


def matches_any(name: str, patterns: Iterable[str]) -> bool:
    """Returns whether a parameter's name is one of some names, or fits one of some patterns."""
    return any(fnmatch.fnmatchcase(name, pattern) or name == pattern for pattern in patterns)


def _check_used(patterns: Iterable[str], model: nn.Module) -> None:
    names = [name for name, _ in model.named_parameters()]
    for pattern in patterns:
        if not any(matches_any(name, (pattern,)) for name in names):
            shown = ", ".join(names[:3])
            raise ConfigError(f"{pattern!r} matches no parameter of the model", hint=f"Its names are {shown}, …")


def _check_trains(patterns: Iterable[str], model: nn.Module) -> None:
    """Refuses groups all of whose parameters are frozen."""
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    for pattern in patterns:
        if not any(matches_any(name, (pattern,)) for name in trained):
            raise ConfigError(
                f"all parameters that {pattern!r} of param_groups matches are frozen",
                hint="Leave the group out, or leave them out of `freeze`.",
            )


def _norm_parameters(model: nn.Module) -> set[str]:
    return {
        f"{prefix}.{name}" if prefix else name
        for prefix, module in model.named_modules()
        if isinstance(module, _NORMS)
        for name, _ in module.named_parameters(recurse=False)
    }


def _own_no_decay(model: nn.Module) -> list[str]:
    """Returns what modules themselves, as timm's do, want to have no weight decay."""
    names: list[str] = []
    for prefix, module in model.named_modules():
        listed = getattr(module, "no_weight_decay", None)
        if callable(listed):
            names.extend(f"{prefix}.{name}" if prefix else str(name) for name in listed())
    return names

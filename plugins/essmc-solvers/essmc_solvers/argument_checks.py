"""Checks of arguments that go together, run by `essmc validate` before anything is built; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from essmc_core.foundation.names import did_you_mean
from essmc_core.foundation.plain_data import plain_data

if TYPE_CHECKING:
    from essmc_core.contract.checking import Checker, Path
    from essmc_core.registry.component import Component

GROUP_KEYS = ("match", "lr_scale", "decay_scale")
"""What a parameter group may say beside the options of its optimizer."""
SCALES = {"lr_scale": "lr", "decay_scale": "weight_decay"}
# What torch's and timm's optimizers refuse, or go astray with.
_LEAST_ZERO = ("lr", "weight_decay", "eps", "momentum", "dampening", "lr_decay", "lambd", "alpha", "momentum_decay",
               "initial_accumulator_value", "max_iter", "decay_rate")  # fmt: skip
_SHARES = ("betas", "beta", "beta2")
_STEPS = ("T_max", "step_size", "T_0", "T_mult", "total_steps", "epochs", "steps_per_epoch", "t_initial",
          "step_size_up", "step_size_down", "decay_t")  # fmt: skip


def check_training(checker: Checker, path: Path, arguments: Mapping[str, Any], component: Component) -> None:
    """Checks the arguments of a training solver: an optimizer that is there, groups it knows, what needs what."""
    optimizer: Any = arguments.get("optimizer")
    schedule: Any = arguments.get("lr_scheduler")
    if optimizer is None:
        checker.mistake(path, "training needs an optimizer", "e.g. optimizer: {type: AdamW, lr: 1e-3}")
    groups = arguments.get("param_groups") or ()
    _check_groups(checker, path, groups if isinstance(groups, (list, tuple)) else (), optimizer)
    several = _is_several(optimizer)
    if _is_several(schedule):
        known = list(optimizer) if several else []
        for key in (key for key in schedule if key not in known):
            listed = f"the optimizers are {', '.join(map(repr, known))}" if known else "there is one optimizer"
            message = f"the schedule names {key!r}, and no optimizer is called {key!r}"
            checker.mistake((*path, "lr_scheduler", key), message, listed, key=True)
    used = optimizer.values() if several else [optimizer]
    if arguments.get("accumulate_steps", 1) != 1 and any(_type_of(each) == "LBFGS" for each in used):
        checker.mistake((*path, "accumulate_steps"), "LBFGS cannot accumulate gradients", "set it to 1")
    check_evaluation(checker, path, arguments, component)


def check_evaluation(checker: Checker, path: Path, arguments: Mapping[str, Any], component: Component) -> None:
    """Checks what evaluation collects, and the device."""
    metrics, keys = arguments.get("eval_metric_cfg"), arguments.get("extra_keys")
    if arguments.get("do_final_eval") and not metrics:
        message = "do_final_eval needs eval_metric_cfg: a metric to run over all data"
        checker.mistake((*path, "do_final_eval"), message)
    if arguments.get("save_eval_data") and not metrics and not keys:
        message = "save_eval_data needs extra_keys or eval_metric_cfg: what to save"
        checker.mistake((*path, "save_eval_data"), message)
    device = arguments.get("device", "auto")
    if isinstance(device, str) and device not in ("auto", "cpu", "cuda", "mps"):
        checker.mistake((*path, "device"), f"device is 'auto', 'cpu', 'cuda' or 'mps', got {device!r}")
    if device == "cpu" and arguments.get("mixed_precision") == "fp16":
        checker.mistake((*path, "mixed_precision"), "fp16 needs an accelerator", "On a CPU use bf16.")


def check_optimizer(checker: Checker, path: Path, arguments: Mapping[str, Any], component: Component) -> None:
    """Checks the ranges of an optimizer's options."""
    for name, value in arguments.items():
        check_option(checker, (*path, name), name, value)


def check_option(checker: Checker, path: Path, name: str, value: Any) -> None:
    """Checks the range of one option of an optimizer, by its name.

    Args:
        checker: takes the mistakes.
        path: of the value.
        name: of the option.
        value: what it is set to; anything but numbers is let pass.
    """
    if name in _LEAST_ZERO and _is_number(value) and not value >= 0:
        checker.mistake(path, f"{name} must be at least 0, got {value!r}")
    if name in _SHARES:
        shares = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        if any(_is_number(share) and not 0 <= share < 1 for share in shares):
            checker.mistake(path, f"{name} must be in [0, 1), got {plain_data(value)!r}")


def check_schedule(checker: Checker, path: Path, arguments: Mapping[str, Any], component: Component) -> None:
    """Checks the ranges of a schedule's arguments, and lists that go together."""
    for name in _STEPS:
        value: Any = arguments.get(name)
        if _is_number(value) and not value > 0:
            checker.mistake((*path, name), f"{name} must be above 0, got {value!r}")
    parts, milestones = arguments.get("schedulers"), arguments.get("milestones")
    if isinstance(parts, (list, tuple)) and isinstance(milestones, (list, tuple)) and len(milestones) != len(parts) - 1:
        message = f"{len(parts)} schedules have {len(parts) - 1} milestones between them, got {len(milestones)}"
        checker.mistake((*path, "milestones"), message)


def check_save_best(checker: Checker, path: Path, arguments: Mapping[str, Any], component: Component) -> None:
    """Checks the metric by which CheckpointHook chooses the best epoch."""
    by = arguments.get("save_best_by")
    if isinstance(by, str) and by and (by[0] not in "+-" or len(by) < 2):
        hint = "+ is for the largest, - for the smallest"
        checker.mistake((*path, "save_best_by"), f"save_best_by is '+acc@1' or '-err', with the sign, got {by!r}", hint)


def check_warm_up(checker: Checker, path: Path, arguments: Mapping[str, Any], component: Component) -> None:
    """Checks that a warm-up has epochs."""
    epochs = arguments.get("warmup_epochs", 1)
    if arguments.get("warmup_func") and _is_number(epochs) and not epochs > 0:
        checker.mistake((*path, "warmup_epochs"), f"warmup_epochs must be above 0, got {epochs!r}")


def _check_groups(checker: Checker, path: Path, groups: Sequence[Any], optimizer: Any) -> None:
    optimizers = list(optimizer.values()) if _is_several(optimizer) else [optimizer]
    signatures = [checker.signature("optimizers", each) for each in optimizers]
    # An optimizer object is built already, and knows itself what it takes.
    open_ended = any(signature is None or signature.takes_any for signature in signatures)
    options = [parameter.name for signature in signatures if signature for parameter in signature.parameters[1:]]
    known = [*GROUP_KEYS, *dict.fromkeys(options)]
    for index, group in enumerate(groups):
        place = (*path, "param_groups", index)
        if not isinstance(group, Mapping):
            continue
        if "match" not in group:
            checker.mistake(place, "a parameter group needs `match`", "e.g. {match: 'backbone.*', lr_scale: 0.1}")
        for name, value in group.items():
            if name not in known and not (open_ended and not did_you_mean(name, GROUP_KEYS)):
                hint = did_you_mean(name, known) or f"it takes {', '.join(known)}"
                checker.mistake((*place, name), f"a parameter group has no option {name!r}", hint, key=True)
            elif name in SCALES:
                _check_scale(checker, (*place, name), name, value, optimizers)
            elif name == "match":
                _check_match(checker, (*place, name), value)
            else:
                check_option(checker, (*place, name), name, value)


def _check_scale(checker: Checker, path: Path, name: str, value: Any, optimizers: Sequence[Any]) -> None:
    if not _is_number(value) or not value >= 0:
        checker.mistake(path, f"{name} must be a number of 0 or more, got {value!r}")
    target = SCALES[name]
    for each in optimizers:
        if isinstance(each, str) or (isinstance(each, Mapping) and target not in each):
            message = f"{name} multiplies the optimizer's {target!r}, which its configuration does not give"
            checker.mistake(path, message, f"give {_type_of(each)} a {target}")


def _check_match(checker: Checker, path: Path, value: Any) -> None:
    patterns = [value] if isinstance(value, str) else value
    if not isinstance(patterns, (list, tuple)) or not all(isinstance(pattern, str) for pattern in patterns):
        checker.mistake(path, "`match` is a pattern of parameter names or several", "e.g. match: 'backbone.*'")


def _is_several(config: Any) -> bool:
    return isinstance(config, Mapping) and "type" not in config


def _type_of(config: Any) -> Any:
    return config.get("type") if isinstance(config, Mapping) else config


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)

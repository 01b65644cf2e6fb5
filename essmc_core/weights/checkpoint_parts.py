"""Finds the state dicts inside a checkpoint: plain and averaged weights, below the names that trainers give them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from essmc_core.errors import WeightsMismatch

PLAIN = (
    "state_dict", "model_state", "model_state_dict", "model", "net", "network", "params", "weights", "model_weights",
    "module", "student", "blobs",
)  # fmt: skip
AVERAGED = (
    "state_dict_ema", "model_ema_state", "model_ema", "model_ema_state_dict", "ema_state_dict", "ema_model_state_dict",
    "ema_model", "ema", "params_ema", "averaged_model", "swa_state_dict", "teacher",
)  # fmt: skip
TRAINING = (
    "optimizer", "optimizers", "optimizer_state", "optimizer_states", "optimizer_state_dict", "optim", "lr_scheduler",
    "lr_schedulers", "scheduler", "scheduler_state_dict", "scaler", "amp", "amp_scaler", "grad_scaler", "loops",
    "callbacks", "hyper_parameters", "rng_state", "rng", "random", "meta", "args", "config", "cfg", "hooks",
)  # fmt: skip
_DEEPEST = 3

IsTensor = Callable[[object], bool]


@dataclass(frozen=True, slots=True)
class Part:
    """A state dict in a checkpoint.

    Attributes:
        path: the keys that lead to it, empty if it is the file's own mapping.
        tensors: its tensors by name.
        averaged: whether its name says that it is an average over training.
    """

    path: tuple[str, ...]
    tensors: Mapping[str, Any]
    averaged: bool = False


def choose(checkpoint: Mapping[str, Any], ema: bool | None, is_tensor: IsTensor) -> Part:
    """Returns the state dict that a load takes.

    Args:
        checkpoint: content of a file.
        ema: True for averaged weights, False for plain ones, None for the averaged ones if there are any.
        is_tensor: whether a value is a tensor.

    Raises:
        WeightsMismatch: there are no tensors, none of the requested kind, or several parts and nothing that tells
            which is meant.
    """
    content, averaged = checkpoint, False
    path: tuple[str, ...] = ()
    names = {None: AVERAGED + PLAIN, True: AVERAGED, False: PLAIN}[ema]
    for _ in range(_DEEPEST):
        if ema is None and not path:
            _refuse_other_things(content)
        name = next((key for key in names if isinstance(content.get(key), Mapping)), None)
        if name is None and (ema is not True or averaged):
            name = _only_part(content, is_tensor)
        if name is None:
            break
        # `model_ema` may in turn contain a plain `state_dict`.
        averaged = averaged or name in AVERAGED
        content, path, names = content[name], (*path, name), PLAIN
    tensors = {str(key): value for key, value in content.items() if is_tensor(value)}
    if ema is True and not averaged:
        hint = "Load the plain weights with ema=False."
        raise WeightsMismatch(f"The weights hold no averaged (EMA) ones; {_top_level(checkpoint)}.", hint=hint)
    if not tensors:
        hint = "Only its averaged (EMA) weights may be there: try ema=True." if ema is False else ""
        raise WeightsMismatch(f"The weights file holds no state dict; {_top_level(checkpoint)}.", hint=hint)
    return Part(path, tensors, averaged)


def parts_of(checkpoint: Mapping[str, Any], is_tensor: IsTensor) -> list[Part]:
    """Returns every state dict in a checkpoint, those of optimizers left out."""
    return list(_parts(checkpoint, (), False, is_tensor))


def _parts(content: Mapping[str, Any], path: tuple[str, ...], averaged: bool, is_tensor: IsTensor) -> Iterator[Part]:
    if _is_optimizer(content):
        return
    tensors = {str(key): value for key, value in content.items() if is_tensor(value)}
    if tensors:
        yield Part(path, tensors, averaged)
    if len(path) >= _DEEPEST:
        return
    for key, value in content.items():
        if isinstance(value, Mapping) and key not in TRAINING and not _is_optimizer(value):
            yield from _parts(value, (*path, str(key)), averaged or key in AVERAGED, is_tensor)


def _refuse_other_things(content: Mapping[str, Any]) -> None:
    """Raises for an optimizer's state, and where a teacher stands beside what it teaches."""
    if _is_optimizer(content):
        raise WeightsMismatch(
            "The file holds the state of an optimizer and no weights.", hint="The weights are in a file beside it."
        )
    beside = next((key for key in PLAIN if isinstance(content.get(key), Mapping)), None)
    if beside is not None and isinstance(content.get("teacher"), Mapping):
        raise WeightsMismatch(
            f"The weights hold two networks, teacher and {beside}.",
            hint=f"ema=True takes the teacher (in self-distillation it is the average), ema=False the {beside}.",
        )


def _is_optimizer(content: Mapping[str, Any]) -> bool:
    return "param_groups" in content and "state" in content


def _only_part(content: Mapping[str, Any], is_tensor: IsTensor) -> str | None:
    """Returns the name of the only mapping with tensors, if there are none beside it."""
    if any(map(is_tensor, content.values())):
        return None
    inner = [
        key
        for key, value in content.items()
        if isinstance(value, Mapping) and key not in TRAINING + AVERAGED and _holds_tensors(value, is_tensor)
    ]
    if len(inner) > 1:
        names = ", ".join(map(repr, inner))
        raise WeightsMismatch(
            f"The weights hold several networks: {names}.",
            hint="Save the one that is meant alone: torch.save(torch.load(path)[name], new_path).",
        )
    return inner[0] if inner else None


def _holds_tensors(content: Mapping[str, Any], is_tensor: IsTensor, depth: int = 1) -> bool:
    return any(
        is_tensor(value)
        or (depth < _DEEPEST and isinstance(value, Mapping) and _holds_tensors(value, is_tensor, depth + 1))
        for value in content.values()
    )


def _top_level(checkpoint: Mapping[str, Any]) -> str:
    names = [str(key) for key in checkpoint]
    shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    return f"its keys are {shown}" if names else "it is empty"

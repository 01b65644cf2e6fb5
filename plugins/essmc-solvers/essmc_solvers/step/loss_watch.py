"""Losses that do not say what they divide by: found out, or refused where steps are made of parts."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from essmc_core.contract.normalizers import Normalizer, normalizer_of, states_normalizer
from essmc_core.errors import ConfigError, ContractError

_STATE_IT = (
    "Give the loss a method normalizer(scores, labels): the number of items for a mean over items, the sum of weights "
    "for a weighted mean, None for a sum; or let the model return `normalizers`."
)


class LossWatch:
    """Watches the calls of losses inside a model, where model or loss does not state what it divides by.

    The normalizer of a loss that states it, or of one of torch's own, is that of a model that states none. Any other
    loss of scores and labels is compared with the mean of its halves, and one of a single item with that of the item
    before.

    Args:
        module: the model.
        in_parts: whether a step is made of several batches or processes, so that a wrong guess would change the
            training.
    """

    def __init__(self, module: nn.Module, in_parts: bool) -> None:
        self._in_parts = in_parts
        self._seen: list[tuple[str, Tensor, Normalizer]] = []
        self._single: tuple[Tensor, Tensor] | None = None
        self._is_summed = False
        self._module = module

    def __deepcopy__(self, memo: dict[int, Any]) -> LossWatch:
        # Copies of losses have hooks that belong to this one.
        return self

    def watching(self) -> AbstractContextManager[Any]:
        """Watches within a block."""
        stack = ExitStack()
        own: Any = getattr(self._module, "loss", None)
        for name, module in self._module.named_modules():
            if states_normalizer(module):
                handle = module.register_forward_hook(self._stating(name))
            elif module is own and self._in_parts:
                handle = module.register_forward_hook(self._compare)
            else:
                continue
            stack.callback(handle.remove)
        return stack

    def complete(self, outputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns a model's outputs with the normalizer of its loss, if that was found out.

        Raises:
            ConfigError: it was not, and the loss is no mean over items.
            ContractError: the first loss that has terms is not their sum.
        """
        seen, self._seen = self._seen, []
        if outputs.get("loss_terms") and not self._is_summed:
            self._is_summed = True
            _check_sum(outputs["loss"], outputs["loss_terms"])
        if "loss" in (outputs.get("normalizers") or {}) or outputs.get("loss_terms"):
            return outputs
        for _, loss, normalizer in seen:
            if loss is outputs["loss"] and len(seen) == 1:
                return {**outputs, "normalizers": {**(outputs.get("normalizers") or {}), "loss": normalizer}}
        for name, _, normalizer in seen:
            if self._in_parts and (normalizer is None or float(normalizer) != int(outputs["batch_size"])):
                raise ConfigError(
                    f"the model's {name!r} divides by another number than that of items, and the model makes its loss "
                    "of it without saying what that is divided by: accumulated steps, or several processes, would not "
                    "be one large batch",
                    hint='Let forward_train return it: {"loss": …, "batch_size": …, "normalizers": {"loss": …}}.',
                )
        return outputs

    def _stating(self, name: str) -> Any:
        def take(loss: Any, inputs: tuple[Any, ...], output: Any) -> None:
            if isinstance(output, Tensor) and output.ndim == 0 and len(inputs) == 2 and torch.is_grad_enabled():
                self._seen.append((name, output, normalizer_of(loss, *inputs)))

        return take

    def _compare(self, loss: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """Refuses a loss that is not the mean of its halves."""
        if not torch.is_grad_enabled() or len(inputs) != 2 or not all(isinstance(one, Tensor) for one in inputs):
            return
        scores, labels = (one.detach() for one in inputs)
        if not len(scores) or len(labels) != len(scores) or not isinstance(output, Tensor) or output.ndim:
            return
        whole = float(output.detach())
        # Losses may keep running values; the copy's are thrown away.
        twin = copy.copy(loss) if not any(True for _ in loss.buffers()) else copy.deepcopy(loss)
        twin._forward_hooks = type(loss._forward_hooks)()
        with torch.no_grad(), torch.random.fork_rng():
            if len(scores) == 1:
                before, self._single = self._single, (scores, labels)
                if before is None or any(map(_differ_in_shape, before, (scores, labels))):
                    return
                scores, labels = (torch.cat(pair) for pair in zip(before, (scores, labels), strict=True))
                whole = float(twin(scores, labels))
            half, size = len(scores) // 2, len(scores)
            parts = [float(twin(scores[rows], labels[rows])) for rows in (slice(half), slice(half, None))]
        is_sum = normalizer_of(loss, scores, labels) is None
        expected = sum(parts) if is_sum else (parts[0] * half + parts[1] * (size - half)) / size
        tolerance = 1e-3 if output.dtype in (torch.float32, torch.float64) else 3e-2
        if math.isfinite(whole) and not math.isclose(whole, expected, rel_tol=tolerance, abs_tol=1e-5):
            kind = "sum" if is_sum else "mean"
            raise ConfigError(
                f"{type(loss).__name__} of {size} items is {whole:.5g}, and the {kind} of that of its halves "
                f"{expected:.5g}: it is no {kind} over items, and accumulated steps, or several processes, would not "
                "be one large batch",
                hint=_STATE_IT,
            )


def _check_sum(loss: Tensor, terms: Mapping[str, Tensor]) -> None:
    whole, total = float(loss.detach()), float(sum(term.detach().reshape(()) for term in terms.values()))
    if math.isfinite(whole) and math.isfinite(total) and not math.isclose(whole, total, rel_tol=2e-2, abs_tol=1e-4):
        raise ContractError(
            f"the model's 'loss' is {whole:.5g}, and the sum of its 'loss_terms' {total:.5g}",
            hint="The terms are what the loss is the sum of, weights included; their gradients are what trains.",
        )


def _differ_in_shape(one: Tensor, other: Tensor) -> bool:
    return one.shape != other.shape or one.dtype != other.dtype

"""One pass over evaluation data: means of what the model reports, and metrics over all it gave."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from essmc_core import METRICS
from essmc_core.contract.annotations import MetricOnKeys
from essmc_core.errors import ConfigError, ContractError
from essmc_solvers.checkpoint.contents import plain_content
from essmc_solvers.checkpoint.sealed_file import write_sealed
from essmc_solvers.data.batch import Batch
from essmc_solvers.engine import autocast, gather_objects
from essmc_solvers.model.calling import call_model
from essmc_solvers.starting.trial import names_of

if TYPE_CHECKING:
    from essmc_solvers.solvers.base import BaseSolver


class EvaluationPass:
    """Evaluates a model on all items of some data, each counted once however many processes share them.

    Args:
        eval_metric_cfg: a mapping with ``metric``, the configuration of a metric, and ``keys``, what to call it with;
            or several. Keys are dotted names of inputs and outputs: ``logits``, ``gt_label``, ``meta.clip_id``.
        extra_keys: what else to collect.
        do_final_eval: run the metrics; None does where there are any.
        save_eval_data: write what was collected to the work dir.
        model: whose loss tells the ``ignore_index`` of metrics that have one and are not given it.

    Raises:
        ConfigError: a metric without keys, or nothing to save.
    """

    def __init__(
        self,
        eval_metric_cfg: MetricOnKeys | Sequence[MetricOnKeys] | None = None,
        extra_keys: Sequence[str] | None = None,
        do_final_eval: bool | None = None,
        save_eval_data: bool = False,
        model: nn.Module | None = None,
    ) -> None:
        configs: list[Any] = [eval_metric_cfg] if isinstance(eval_metric_cfg, Mapping) else list(eval_metric_cfg or ())
        for config in configs:
            if not isinstance(config, Mapping) or set(config) != {"metric", "keys"}:
                raise ConfigError(
                    "eval_metric_cfg needs `metric` and `keys`",
                    hint="e.g. {metric: {type: accuracy, topk: [1, 5]}, keys: [logits, gt_label]}",
                )
        ignored = getattr(getattr(model, "loss", None), "ignore_index", None)
        self._metrics = [(_metric(config["metric"], ignored), tuple(config["keys"])) for config in configs]
        if do_final_eval is False:
            self._metrics = []
        elif do_final_eval and not configs:
            raise ConfigError("do_final_eval needs eval_metric_cfg: a metric to run over all data")
        wanted = [key for _, keys in self._metrics for key in keys] + list(extra_keys or ())
        self._keys = list(dict.fromkeys(wanted))
        self._save = save_eval_data
        if save_eval_data and not self._keys:
            raise ConfigError("save_eval_data needs extra_keys or eval_metric_cfg: what to save")

    @property
    def collects(self) -> bool:
        """Whether anything is collected over all data."""
        return bool(self._keys)

    def names(self, solver: BaseSolver, inputs: Mapping[str, Any]) -> set[str] | None:
        """Returns the names of all that a pass reports, from one batch; None where a metric cannot do with that.

        Args:
            solver: the run, whose model is in eval mode.
            inputs: what the model takes.

        Raises:
            ConfigError: there is nothing of a name to collect.
        """
        outputs = _named(call_model(solver.module, solver.module, inputs), inputs)
        merged, count = {**solver.batch, **outputs}, _batch_size(outputs, solver.batch)
        data = {key: _joined(_rows(_look_up(merged, key), count)) for key in self._keys}
        names = names_of(outputs)
        for metric, keys in self._metrics:
            try:
                names |= set(metric(*(data[key] for key in keys)))
            except Exception:  # a metric may need more than a batch
                return None
        return names

    @torch.no_grad()
    def run(self, solver: BaseSolver, model: nn.Module) -> dict[str, float]:
        """Returns means and metrics by name; every process must take part."""
        solver._start_pass("eval")
        model.eval()
        solver.means.reset()
        collected: list[dict[str, list[Any]]] = []
        solver.call("before_all_iter")
        for batch in solver._timed(solver.loaders["eval"].batches(0)):
            if batch.data is None:
                continue
            solver.iter = batch.index
            solver._take_batch(batch)
            solver.call("before_iter")
            with autocast(solver.accelerator):
                inputs = solver._inputs()
                solver.iter_outputs = _named(call_model(model, solver.module, inputs), inputs)
            collected.append(self._take(solver, batch, is_first=not collected))
            solver.iter += 1
            solver.call("after_iter")
        results = solver.pass_results()
        results.update(self._finish(solver, collected))
        solver.epoch_outputs["eval"] = results
        solver.call("after_all_iter")
        return results

    def _take(self, solver: BaseSolver, batch: Batch, is_first: bool) -> dict[str, list[Any]]:
        outputs = solver.iter_outputs
        own, solver.iter_items = batch.count(_batch_size(outputs, solver.batch))
        # A loss that is a sum is one over all evaluation data.
        solver.means.add(outputs, own, is_first / solver.accelerator.num_processes)
        merged = {**solver.batch, **outputs}
        return {key: _rows(_look_up(merged, key), own) for key in self._keys}

    def _finish(self, solver: BaseSolver, collected: list[dict[str, list[Any]]]) -> dict[str, float]:
        if not self._keys:
            return {}
        by_process = gather_objects(solver.accelerator, collected)
        # Processes took their batches in turn.
        batches = [batch for row in itertools.zip_longest(*by_process) for batch in row if batch is not None]
        data = {key: _joined([row for batch in batches for row in batch[key]]) for key in self._keys}
        results: dict[str, float] = {}
        for metric, keys in self._metrics:
            results.update({name: float(value) for name, value in metric(*(data[key] for key in keys)).items()})
        if self._save and solver.is_main and solver.work_dir is not None:
            path = solver.work_dir / f"eval_{solver.epoch + 1:05d}.pth"
            content = plain_content({"data": data, "results": results})
            write_sealed(path, lambda file: torch.save(content, file))
        return results


def _metric(config: Any, ignored: int | None) -> Any:
    """Builds a metric, which leaves out what the loss ignores unless it is told otherwise."""
    metric = METRICS.build(config)
    is_told = not isinstance(config, str) and (not isinstance(config, Mapping) or "ignore_index" in config)
    if ignored is not None and hasattr(metric, "ignore_index") and not is_told:
        metric.ignore_index = ignored
    return metric


def _named(outputs: Any, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns a model's test output as a mapping."""
    if isinstance(outputs, Tensor):
        return {"logits": outputs}
    found = f"a {type(outputs).__name__}"
    if isinstance(outputs, Mapping):
        if "gt_label" not in inputs or any(str(name).startswith("logits") for name in outputs):
            return outputs
        found = f"a dict without 'logits': it has {', '.join(map(repr, outputs)) or 'no keys'}"
    raise ContractError(
        f"In test mode the model returned {found}.",
        hint='In test mode a model returns `logits`, a tensor (N, num_classes), or a dict with "logits" and metrics; '
        "see essmc_core.TrainModule.",
    )


def _batch_size(outputs: Mapping[str, Any], inputs: Mapping[str, Any]) -> int:
    if "batch_size" in outputs:
        return int(outputs["batch_size"])
    for value in (*inputs.values(), *outputs.values()):
        if isinstance(value, Tensor) and value.ndim:
            return int(value.shape[0])
    raise ContractError("The batch size cannot be told: neither inputs nor outputs are tensors.")


def _look_up(merged: Mapping[str, Any], dotted: str) -> Any:
    value: Any = merged
    for part in [dotted] if dotted in merged else dotted.split("."):
        try:
            value = [item[part] for item in value] if isinstance(value, (list, tuple)) else value[part]
        except (KeyError, TypeError, IndexError):
            known = ", ".join(map(str, merged))
            raise ConfigError(f"there is no {dotted!r} to collect in evaluation", hint=f"There is {known}.") from None
    return value


def _rows(value: Any, count: int) -> list[Any]:
    """Returns what a batch says of its first items, one entry each."""
    if isinstance(value, Tensor):
        return list(value.detach().cpu()[:count]) if value.ndim else [value.detach().cpu()] * count
    return list(value[:count]) if isinstance(value, (list, tuple)) else [value] * count


def _joined(rows: list[Any]) -> Any:
    return torch.stack(rows) if rows and isinstance(rows[0], Tensor) else rows

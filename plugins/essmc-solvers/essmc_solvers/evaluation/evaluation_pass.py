"""One pass over evaluation data: means of what the model reports, and metrics over all it gave."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from essmc_core import METRICS
from essmc_core.contract.annotations import MetricOnKeys
from essmc_core.errors import ConfigError, ContractError
from essmc_solvers.checkpoint.contents import plain_content
from essmc_solvers.checkpoint.sealed_file import write_sealed
from essmc_solvers.data.batch import Batch
from essmc_solvers.engine import autocast, gather_objects
from essmc_solvers.evaluation.collecting import batch_size, joined, look_up, named_outputs, rows
from essmc_solvers.model.calling import call_model
from essmc_solvers.run.passes import pass_results, start_pass
from essmc_solvers.run.protocol import Run
from essmc_solvers.step.running_means import reported_names


class EvaluationPass:
    """Evaluates a model on all items of some data, each counted once however many processes share them.

    Args:
        eval_metric_cfg: a mapping with ``metric``, the configuration of a metric, and ``keys``, what to call it with;
            or several. Keys are dotted names of inputs and outputs: ``logits``, ``gt_label``, ``meta.clip_id``.
        extra_keys: what else to collect.
        do_final_eval: run the metrics; None does where there are any.
        save_eval_data: write what was collected to the work dir.
        model: whose loss has the ``ignore_index`` for metrics that take one and are not given it.

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

    def names(self, run: Run, inputs: Mapping[str, Any]) -> set[str] | None:
        """Returns the names of all that a pass reports, from one batch; None where a metric cannot do with that.

        Args:
            run: the run, whose model is in eval mode.
            inputs: what the model takes.

        Raises:
            ConfigError: there is nothing of a name to collect.
        """
        outputs = named_outputs(call_model(run.module, run.module, inputs), inputs)
        merged, count = {**run.batch, **outputs}, batch_size(outputs, run.batch)
        data = {key: joined(rows(look_up(merged, key), count)) for key in self._keys}
        names = reported_names(outputs)
        for metric, keys in self._metrics:
            try:
                names |= set(metric(*(data[key] for key in keys)))
            except Exception:  # a metric may need more than a batch
                return None
        return names

    @torch.no_grad()
    def run(self, run: Run, model: nn.Module) -> dict[str, float]:
        """Returns means and metrics by name; every process must take part."""
        start_pass(run, "eval")
        model.eval()
        progress = run.progress
        collected: list[dict[str, list[Any]]] = []
        run.call("before_all_iter")
        for batch in progress.timed(run.loaders["eval"].batches(0)):
            if batch.data is None:
                continue
            progress.iter = batch.index
            progress.batch = run.data.prepare(batch.data, "eval", batch.index)
            run.call("before_iter")
            with autocast(run.accelerator):
                inputs = progress.inputs
                progress.iter_outputs = named_outputs(call_model(model, run.module, inputs), inputs)
            collected.append(self._take(run, batch, is_first=not collected))
            progress.iter += 1
            run.call("after_iter")
        results = pass_results(run)
        results.update(self._finish(run, collected))
        progress.epoch_outputs["eval"] = results
        run.call("after_all_iter")
        return results

    def _take(self, run: Run, batch: Batch, is_first: bool) -> dict[str, list[Any]]:
        outputs = run.iter_outputs
        own, run.progress.iter_items = batch.count(batch_size(outputs, run.batch))
        # A loss that is a sum is one over all evaluation data.
        run.means.add(outputs, own, is_first / run.accelerator.num_processes)
        merged = {**run.batch, **outputs}
        return {key: rows(look_up(merged, key), own) for key in self._keys}

    def _finish(self, run: Run, collected: list[dict[str, list[Any]]]) -> dict[str, float]:
        if not self._keys:
            return {}
        by_process = gather_objects(run.accelerator, collected)
        # Processes took their batches in turn.
        batches = [batch for row in itertools.zip_longest(*by_process) for batch in row if batch is not None]
        data = {key: joined([row for batch in batches for row in batch[key]]) for key in self._keys}
        results: dict[str, float] = {}
        for metric, keys in self._metrics:
            results.update(_numbers(metric, metric(*(data[key] for key in keys))))
        if self._save and run.is_main and run.work_dir is not None:
            path = run.work_dir / f"eval_{run.epoch + 1:05d}.pth"
            content = plain_content({"data": data, "results": results})
            write_sealed(path, lambda file: torch.save(content, file))
        return results


def _numbers(metric: Any, given: Any) -> dict[str, float]:
    """Returns what a metric gave by name; one number alone has the metric's own name.

    Raises:
        ContractError: it gave neither a number nor numbers by name.
    """
    name = getattr(metric, "__name__", type(metric).__name__)
    try:
        return {
            str(key): float(value) for key, value in (given if isinstance(given, Mapping) else {name: given}).items()
        }
    except (TypeError, ValueError, RuntimeError) as error:
        what = f"a tensor of shape {tuple(given.shape)}" if isinstance(given, torch.Tensor) else repr(given)
        raise ContractError(
            f"the metric {name} gave {what[:200]}", hint="a metric gives one number, or a mapping from names to numbers"
        ) from error


def _metric(config: Any, ignored: int | None) -> Any:
    """Builds a metric, which leaves out what the loss ignores unless its configuration has an ``ignore_index``."""
    metric = METRICS.build(config)
    is_told = not isinstance(config, str) and (not isinstance(config, Mapping) or "ignore_index" in config)
    if ignored is not None and hasattr(metric, "ignore_index") and not is_told:
        metric.ignore_index = ignored
    return metric

"""``EvaluationSolver``: one pass over evaluation data."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from essmc_core import Hook, Model
from essmc_core.contract.annotations import MetricOnKeys
from essmc_solvers.checkpoint.folder import named_checkpoint
from essmc_solvers.checkpoint.weights import load_for_evaluation
from essmc_solvers.checkpoint.work_dir import prepare_work_dir
from essmc_solvers.data.class_names import KnownClasses, remembered_classes
from essmc_solvers.evaluation.evaluation_pass import EvaluationPass
from essmc_solvers.hooks.base import Hook as BaseHook
from essmc_solvers.hooks.log import LogHook
from essmc_solvers.randomness import mixed_seed, seed_everything
from essmc_solvers.solvers.base import BaseSolver


class EvaluationSolver(BaseSolver):
    """Evaluates a model.

    Args:
        model: the model to evaluate.
        resume_from: weights to load: a checkpoint, or a folder, for the best in it, else its newest.
        work_dir: where metrics and evaluation data go; None writes nothing.
        logger: takes the log lines; they go to standard output by default.
        hooks: hooks, as a sequence or mapping; one replaces the default of the same class. Those that work on
            training, such as ``BackwardHook``, are left out.
        default_hooks: add a LogHook if none is given.
        do_final_eval: run ``eval_metric_cfg``; None does where it is given.
        save_eval_data: write what ``eval_metric_cfg`` and ``extra_keys`` name to ``eval_00001.pth``.
        eval_metric_cfg: metrics over all evaluation data: a mapping with ``metric`` and ``keys``, or several.
        extra_keys: what else to collect, dotted names of inputs and outputs such as ``meta.path``.
        seed: of all random numbers.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        mixed_precision: ``no``, ``fp16`` or ``bf16``.
        split_batches: divide each batch among processes; otherwise each takes whole batches in turn.
        class_names: names of the model's classes in their order, by which labels of data with named classes are
            mapped; those in a checkpoint of ``resume_from`` come first. By default those that the model was trained by
            in this process.
    """

    def __init__(
        self,
        model: Model,
        resume_from: str | os.PathLike[str] | None = None,
        work_dir: str | os.PathLike[str] | None = None,
        logger: logging.Logger | None = None,
        hooks: list[Hook] | dict[str, Hook] | None = None,
        default_hooks: bool = True,
        do_final_eval: bool | None = None,
        save_eval_data: bool = False,
        eval_metric_cfg: MetricOnKeys | Sequence[MetricOnKeys] | None = None,
        extra_keys: Sequence[str] | None = None,
        seed: int = 0,
        device: str = "auto",
        mixed_precision: Literal["no", "fp16", "bf16"] = "no",
        split_batches: bool = True,
        class_names: Sequence[str] = (),
    ) -> None:
        super().__init__(
            model,
            work_dir=work_dir,
            logger=logger,
            max_epochs=1,
            num_folds=1,
            hooks=hooks,
            default_hooks=default_hooks,
            seed=seed,
            device=device,
            mixed_precision=mixed_precision,
            split_batches=split_batches,
        )
        self.evaluation = EvaluationPass(eval_metric_cfg, extra_keys, do_final_eval, save_eval_data, model=self.module)
        if resume_from is not None:
            path = named_checkpoint(Path(resume_from))
            class_names = load_for_evaluation(self.module, path) or class_names
        class_names = class_names or remembered_classes(self.module)
        if class_names:
            self.known_classes = KnownClasses(tuple(class_names), "the model")
        self.model = self.module.to(self.accelerator.device)

    def order_hooks(self, given: Any, default_hooks: bool) -> list[Any]:
        """Returns the hooks without those of training."""
        return [hook for hook in super().order_hooks(given, default_hooks) if not getattr(hook, "for_training", False)]

    def default_hooks(self) -> list[BaseHook]:
        """Returns the hooks of every evaluation."""
        return [LogHook()]

    def solve(self, data: Any) -> dict[str, dict[str, float]]:
        """Evaluates.

        Args:
            data: ``{"eval": loader}``, or the loader alone.

        Returns:
            Means and metrics: ``{"eval": {"acc@1": …}}``.

        Raises:
            ContractError: the model returns something else than the contract says.
            DataError: there are no data, or they have classes that the model has not.
        """
        self._take_data(data, ["eval"])
        prepare_work_dir(self.work_dir)
        seed_everything(mixed_seed(self.seed, self.accelerator.process_index))
        try:
            self.call("before_solve")
            with self._with_normalizers():
                self.evaluation.run(self, self.model)
            self.call("after_solve")
        finally:
            self.events.close()
        return {mode: dict(means) for mode, means in self.epoch_outputs.items()}

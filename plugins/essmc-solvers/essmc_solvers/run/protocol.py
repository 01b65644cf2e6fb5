"""What a hook sees of a run, and what it may do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor, nn

from essmc_solvers.data.epoch_loader import EpochLoader
from essmc_solvers.data.run_data import RunData
from essmc_solvers.engine import is_fsdp
from essmc_solvers.model.freezing import Frozen
from essmc_solvers.run.progress import Progress
from essmc_solvers.step.optimizer_step import OptimizerStep
from essmc_solvers.step.running_means import RunningMeans

if TYPE_CHECKING:
    from accelerate import Accelerator


class Run(Protocol):
    """A run of a solver: what each event of a hook is called with.

    A hook reads what is here, and may

    - write log lines (`log`), ask for the running means (`reduced_means`) and for other hooks (`hook`);
    - change parameters and, in ``after_backward`` and ``before_step``, their gradients; and the options of the
      optimizers' groups, such as rates;
    - raise an exception, which ends the run.

    It sets no attribute. A hook in the place of `BackwardHook` drives ``step`` and runs the events of it by `call`.
    What a hook has to remember it keeps itself: its ``state_dict`` goes into checkpoints.

    Attributes:
        module: the model.
        model: the model as it is called, perhaps wrapped for several processes.
        accelerator: devices, precision and processes.
        optimizers: by submodule, by the empty string if there is one; an evaluation alone has none.
        lr_schedulers: by the keys of ``optimizers``.
        built_settings: of optimizers and schedules as they were built, by dotted name.
        starting_groups: options of the optimizers' groups as they were when the run began, by the keys of
            ``optimizers``.
        frozen: the part of the model that does not train.
        step: the optimizer step under way.
        progress: how far the run has come; the properties below read it.
        data: the loaders, and how their batches become the model's inputs.
        hooks: by priority.
        work_dir: where files go; None writes nothing.
        resume_from: a checkpoint, a folder of such, ``auto``, or None.
        resume_changed: whether settings may differ from those of the checkpoint.
        config: the configuration of the run, None where it was set up from Python.
        max_epochs: passes over the training data.
        num_folds: passes that count as one epoch for hooks and evaluation.
        split_batches: whether each batch is divided among processes.
        seed: of all random numbers.
    """

    module: nn.Module
    model: nn.Module
    accelerator: Accelerator
    optimizers: dict[str, Any]
    lr_schedulers: dict[str, Any]
    built_settings: dict[str, Any]
    starting_groups: dict[str, list[dict[str, Any]]]
    frozen: Frozen
    step: OptimizerStep
    progress: Progress
    data: RunData
    hooks: list[Any]
    work_dir: Path | None
    resume_from: str | os.PathLike[str] | None
    resume_changed: bool
    config: Mapping[str, Any] | None
    max_epochs: int
    num_folds: int
    split_batches: bool
    seed: int

    def log(self, text: str) -> None:
        """Writes a log line, in the main process only."""

    def call(self, event: str) -> None:
        """Runs the hooks that take part in an event, by priority."""

    def hook(self, kind: type[Any]) -> Any:
        """Returns the hook of a class, None if there is none."""

    def reduced_means(self) -> dict[str, float]:
        """Returns the running means over all processes; every process must ask."""
        ...

    def forward_train(self) -> Mapping[str, Any]:
        """Runs the model on this iteration's batch in train mode and checks what it returns."""
        ...

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and log lines."""
        return bool(self.accelerator.is_main_process)

    @property
    def is_fsdp(self) -> bool:
        """Whether parameters are sharded among processes."""
        return is_fsdp(self.accelerator)

    @property
    def loaders(self) -> dict[str, EpochLoader]:
        """Loaders by name: ``train``, ``eval``."""
        return self.data.loaders

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return self.progress.epoch

    @property
    def folds(self) -> int:
        """Passes of this epoch: ``num_folds``, or what is left of ``max_epochs``."""
        return max(1, min(self.num_folds, self.max_epochs - self.progress.epoch))

    @property
    def iter(self) -> int:
        """Iterations done of this pass over ``mode``'s data."""
        return self.progress.iter

    @property
    def total_iters(self) -> int:
        """Training iterations done."""
        return self.progress.total_iters

    @property
    def total_steps(self) -> int:
        """Optimizer steps made."""
        return self.step.total

    @property
    def epoch_max_iter(self) -> int | None:
        """Iterations of this pass, None for streams of unknown length."""
        return self.progress.epoch_max_iter

    @property
    def mode(self) -> str:
        """``train`` or ``eval``, and empty before either."""
        return self.progress.mode

    @property
    def batch(self) -> Mapping[str, Any]:
        """Inputs of this iteration by name, on the device, ``meta`` included."""
        return self.progress.batch

    @property
    def iter_outputs(self) -> Any:
        """What the model gave for them."""
        return self.progress.iter_outputs

    @property
    def iter_items(self) -> int:
        """Items of this iteration, in all processes."""
        return self.progress.iter_items

    @property
    def iter_skipped(self) -> bool:
        """Whether this iteration is left out because its loss or gradients are not finite."""
        return self.step.is_skipped

    @property
    def epoch_outputs(self) -> dict[str, dict[str, float]]:
        """Means over the last pass, by mode and name."""
        return self.progress.epoch_outputs

    @property
    def means(self) -> RunningMeans:
        """Running means of this pass, of this process alone."""
        return self.progress.means

    @property
    def data_seconds(self) -> float:
        """Time spent waiting for data in this pass."""
        return self.progress.data_seconds

    @property
    def unreadable(self) -> int:
        """Inputs of this pass that this process could not read."""
        return self.progress.unreadable

    @property
    def accumulate_steps(self) -> int:
        """Batches whose gradients make one optimizer step."""
        return self.step.options.accumulate_steps

    @property
    def is_step_end(self) -> bool:
        """Whether an optimizer step ends with this iteration."""
        return self.step.is_end

    @property
    def grad_norm(self) -> Tensor | None:
        """Norm of the last step's gradients before they were clipped, where ``clip_grad_norm`` is given."""
        return self.step.grad_norm

    @property
    def trained_parameters(self) -> list[nn.Parameter]:
        """The parameters of all optimizers."""
        return self.step.parameters

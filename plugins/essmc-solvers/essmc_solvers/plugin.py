"""What this pack brings, by name; torch, timm and accelerate are not imported here."""

from __future__ import annotations

from essmc_core import hookimpl
from essmc_core.discovery.hooks import StagedCommands, StagedRegistries
from essmc_solvers import retired
from essmc_solvers.optimizers.library_names import timm_optimizers, timm_schedulers, torch_optimizers, torch_schedulers


@hookimpl
def register_components(registries: StagedRegistries) -> None:
    """Registers solvers and hooks, then every optimizer and schedule of the installed libraries."""
    _register_solvers_and_hooks(registries)
    for name in torch_optimizers():
        registries.optimizers.register(
            name, f"torch.optim:{name}", summary=f"torch.optim.{name}", check=_check("optimizer")
        )
    for name in torch_schedulers():
        target = f"torch.optim.lr_scheduler:{name}"
        registries.lr_schedulers.register(
            name, target, summary=f"torch.optim.lr_scheduler.{name}", check=_check("schedule")
        )
    for name in timm_optimizers():
        registries.optimizers.register(
            f"timm_{name}",
            "essmc_solvers.optimizers.timm_optimizers:timm_optimizer",
            summary=f"{name} of timm.optim",
            bound={"opt": name},
            check=_check("optimizer"),
        )
    for name, attribute in timm_schedulers().items():
        registries.lr_schedulers.register(
            f"timm_{name}",
            f"timm.scheduler:{attribute}",
            summary=f"timm.scheduler.{attribute}",
            check=_check("schedule"),
        )


@hookimpl
def register_commands(cli: StagedCommands) -> None:
    """Adds ``train`` and ``eval``."""
    cli.add_lazy("train", "essmc_solvers.commands.train:train", help="Train a model as a configuration says.")
    cli.add_lazy("eval", "essmc_solvers.commands.evaluate:evaluate", help="Evaluate a checkpoint.")


def _check(name: str) -> str:
    return f"essmc_solvers.argument_checks:check_{name}"


def _register_solvers_and_hooks(registries: StagedRegistries) -> None:
    add = registries.solvers.register
    add(
        "TrainValSolver",
        "essmc_solvers.solvers.training:TrainValSolver",
        summary="Epochs of training, evaluation in between",
        check=_check("training"),
        retired=retired.OF_SOLVERS,
    )
    add(
        "MoSISolver",
        "essmc_solvers.solvers.mosi:MoSISolver",
        summary="TrainValSolver with MoSI's parameter groups",
        check=_check("training"),
        retired=retired.OF_SOLVERS,
    )
    add(
        "EvaluationSolver",
        "essmc_solvers.solvers.evaluation:EvaluationSolver",
        summary="One pass over evaluation data",
        check=_check("evaluation"),
        retired=retired.OF_EVALUATION,
    )
    add = registries.hooks.register
    add("BackwardHook", "essmc_solvers.hooks.backward:BackwardHook", summary="Gradients and optimizer steps")
    add("EmaHook", "essmc_solvers.hooks.ema:EmaHook", summary="Moving average of the weights")
    add("LogHook", "essmc_solvers.hooks.log:LogHook", summary="Progress, log lines and metrics.jsonl")
    add("TensorboardLogHook", "essmc_solvers.hooks.tensorboard:TensorboardLogHook", summary="Scalars for TensorBoard")
    add(
        "LrHook",
        "essmc_solvers.hooks.lr:LrHook",
        summary="Learning-rate schedule with warm-up",
        check=_check("warm_up"),
    )
    add(
        "CheckpointHook",
        "essmc_solvers.hooks.checkpoint:CheckpointHook",
        summary="Saves and resumes runs",
        check=_check("save_best"),
    )
    add("DistSamplerHook", "essmc_solvers.hooks.dist_sampler:DistSamplerHook", summary="Tells samplers the epoch")

"""Weights and states of optimizers as checkpoints hold them, of sharded models too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from essmc_solvers.checkpoint.weights import load_weights, require_finite
from essmc_solvers.errors import CheckpointMismatch
from essmc_solvers.run.protocol import Run


def captured_parameters(run: Run) -> tuple[Any, Any]:
    """Returns the model's state dict, and those of the optimizers by submodule; every process must take part."""
    if not run.is_fsdp:
        return run.module.state_dict(), {key: made.state_dict() for key, made in run.optimizers.items()}
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    weights, optimizer = get_state_dict(run.model, _raw_optimizers(run), options=options)
    return weights, {"": optimizer}


def load_parameters(run: Run, content: Mapping[str, Any], path: Path) -> None:
    """Loads the model and its optimizers.

    Args:
        run: the run.
        content: of the checkpoint.
        path: its file, for messages.

    Raises:
        CheckpointMismatch: it is that of another model or of other optimizers, or its weights are not finite.
    """
    if run.is_fsdp:
        from torch.distributed.checkpoint.state_dict import StateDictOptions, set_state_dict

        require_finite(content["state_dict"], path)
        set_state_dict(
            run.model,
            _raw_optimizers(run),
            model_state_dict=dict(content["state_dict"]),
            optim_state_dict=content["optimizer"][""],
            options=StateDictOptions(full_state_dict=True),
        )
        return
    load_weights(run.module, content["state_dict"], path)
    for key, optimizer in run.optimizers.items():
        try:
            optimizer.load_state_dict(part(content, "optimizer", key, path))
        except (ValueError, KeyError) as error:
            raise CheckpointMismatch(f"{path} was written with other optimizers: {error}") from error


def kinds(run: Run) -> dict[str, dict[str, str]]:
    """Returns the classes of optimizers and schedules, whose states look alike but mean different things."""
    made = dict(zip(run.optimizers, _raw_optimizers(run), strict=True))
    return {
        "optimizer": {key: type(optimizer).__name__ for key, optimizer in made.items()},
        "lr_scheduler": {key: type(schedule).__name__ for key, schedule in run.lr_schedulers.items()},
    }


def _raw_optimizers(run: Run) -> list[Any]:
    return [getattr(optimizer, "optimizer", optimizer) for optimizer in run.optimizers.values()]


def part(content: Mapping[str, Any], section: str, key: str, path: Path) -> Any:
    """Returns an entry of a section of a checkpoint.

    Raises:
        CheckpointMismatch: there is none.
    """
    if key not in content[section]:
        raise CheckpointMismatch(f"{path} has no {section} {key!r}: it was written with other ones")
    return content[section][key]

"""Whether a work dir holds an earlier run, which a new one would be mixed with."""

from __future__ import annotations

from pathlib import Path

from essmc_core.errors import ConfigError
from essmc_core.weights.checkpoints import BEST
from essmc_core.zoo.trained import SIDECAR
from essmc_solvers.checkpoint.folder import list_checkpoints

METRICS = "metrics.jsonl"


def claim(folder: Path, overwrite: bool, hint: str) -> None:
    """Refuses a folder with another run in it, or empties it of that.

    Args:
        folder: the work dir, which this process holds.
        overwrite: remove the earlier run's checkpoints and metrics.
        hint: what to do about a folder that is refused.

    Raises:
        ConfigError: it holds an earlier run, and ``overwrite`` is not set.
    """
    files = [path for _, path in list_checkpoints(folder)] + [folder / BEST, folder / METRICS]
    there = [path for path in files if path.exists() or path.is_symlink()]
    if there and not overwrite:
        raise ConfigError(f"{folder} holds an earlier run ({there[0].name})", hint=hint)
    for path in (*there, folder / SIDECAR) if there else ():
        path.unlink(missing_ok=True)

"""What a format of exported files is: a way to write a model's test mode, and to run what was written."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import torch
from torch import Tensor, nn

from essmc_core.errors import MissingDependency

CARD = "essmc.json"
"""Name under which an exported file carries its card."""
Network: TypeAlias = Callable[[Tensor], "Tensor | Mapping[str, Tensor]"]


@dataclass(frozen=True, slots=True)
class Opened:
    """An exported file that can be run.

    Attributes:
        run: from a batch of inputs to what the file returns.
        card: JSON that the file carries, empty if none.
        names: of its outputs, where the format keeps them.
        batch: how many inputs it takes at once; None for any number.
    """

    run: Callable[[Tensor], Any]
    card: str
    names: Sequence[str] = ()
    batch: int | None = None


class FileFormat(ABC):
    """Writes and opens exported files.

    Attributes:
        name: as `essmc export --format` takes it.
        suffix: of the files.
        packages: that writing and comparing need, by import.
        may_hold_its_batch: whether a file may turn out to take only batches of the size it was written with.
        frees_sizes: whether other dimensions than the batch can be left open.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    packages: ClassVar[Sequence[str]] = ()
    may_hold_its_batch: ClassVar[bool] = False
    frees_sizes: ClassVar[bool] = True

    def require(self) -> None:
        """Checks that what writes it is installed.

        Raises:
            MissingDependency: something is not.
        """
        require(self.packages, f"{self.suffix} files are made and checked with")

    @abstractmethod
    def write(self, model: nn.Module, example: Tensor, free: Collection[int], card: str, file: Path) -> None:
        """Writes a file, and whatever stands beside it.

        Args:
            model: in test mode, on the CPU.
            example: a batch of two inputs.
            free: dimensions of the example that are left open, besides the first.
            card: JSON to put into the file under `CARD`.
            file: where to.

        Raises:
            Exception: the model cannot be written so.
        """

    @abstractmethod
    def open(self, path: Path, device: torch.device) -> Opened:
        """Opens a file.

        Args:
            path: a file of this format.
            device: where to run it.

        Raises:
            MissingDependency: what runs it is not installed.
            Exception: it is damaged.
        """

    def files(self, path: Path) -> Sequence[Path]:
        """Returns the files that make up an exported one, in the order in which they are put in place."""
        return (path,)


def require(packages: Sequence[str], purpose: str) -> None:
    """Checks that packages are installed.

    Args:
        packages: by import.
        purpose: for the message: what they do, up to the name of the one that is missing.

    Raises:
        MissingDependency: one is not.
    """
    try:
        for package in packages:
            importlib.import_module(package)
    except ImportError as error:
        message = f"{purpose} {error.name}, which is not installed."
        raise MissingDependency(message, hint=f"pip install {' '.join(packages)}") from error

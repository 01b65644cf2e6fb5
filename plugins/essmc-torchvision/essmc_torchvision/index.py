"""The names of torchvision's classification models, read from its sources without importing it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from essmc_core.errors import MissingDependency

_STAR_IMPORT = re.compile(r"^from \.(\w+) import \*", re.MULTILINE)
# The decorator may carry a name of its own; others, over several lines, may stand between it and the function.
_MODEL = re.compile(
    r"^@register_model\((?:name=)?(?:[\"'](\w+)[\"'])?\)\n(?:(?:@|[ \t]|\)).*\n)*def (\w+)\(", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class ModelName:
    """One model.

    Attributes:
        name: torchvision's name.
        module: where it is defined, e.g. ``torchvision.models.video.resnet``.
        modality: what it classifies.
    """

    name: str
    module: str
    modality: Literal["image", "video"]


def read_index(models_folder: Path | None = None) -> list[ModelName]:
    """Returns every model that classifies images or clips.

    Args:
        models_folder: a ``torchvision/models`` folder; that of the importable torchvision by default.

    Raises:
        MissingDependency: torchvision is not installed.
    """
    folder = models_folder or find_models_folder()
    images = [ModelName(name, f"torchvision.models.{module}", "image") for module, name in _scan(folder)]
    clips = [ModelName(name, f"torchvision.models.video.{module}", "video") for module, name in _scan(folder / "video")]
    return images + clips


def find_models_folder() -> Path:
    """Returns ``torchvision/models`` of the importable torchvision, without importing it.

    Raises:
        MissingDependency: torchvision is not installed.
    """
    # For a top-level package find_spec reads the folder only; it does not import it.
    spec = find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependency(
            "essmc-torchvision needs torchvision, which is not installed", hint="pip install torchvision"
        )
    return Path(spec.submodule_search_locations[0], "models")


def _scan(folder: Path, module: str = "__init__") -> Iterator[tuple[str, str]]:
    """Yields (module, model) for a module and whatever it re-exports: only those are registered on import."""
    source = (folder / f"{module}.py").read_text(encoding="utf-8")
    for registered, function in _MODEL.findall(source):
        yield module, registered or function
    for imported in _STAR_IMPORT.findall(source):
        yield from _scan(folder, imported)

"""What timm offers, read once per installed timm and kept in the user's cache folder: its models and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from essmc_core.errors import MissingDependency
from essmc_core.foundation.source_cache import fingerprint_of, read_cache, write_cache
from essmc_timm.model_names import Index, Weights

_FORMAT = 2


def load_index(models_folder: Path | None = None) -> Index:
    """Returns the index of a timm installation, from the cache when it is up to date.

    Args:
        models_folder: its ``timm/models``; that of the importable timm by default.

    Raises:
        MissingDependency: timm is not installed.
    """
    folder = models_folder or find_models_folder()
    fingerprint = fingerprint_of(folder, _FORMAT)
    index = _decode(read_cache("timm/index", folder, fingerprint))
    if index is None:
        from essmc_timm.scan import scan

        index = scan(folder)
        write_cache("timm/index", folder, fingerprint, {"models": index.models, "deprecated": index.deprecated})
    return index


def load_weights(models_folder: Path | None = None) -> list[Weights]:
    """Returns all pretrained weights of a timm installation, from the cache when it is up to date.

    Args:
        models_folder: as for `load_index`.

    Raises:
        MissingDependency: timm is not installed.
    """
    folder = models_folder or find_models_folder()
    fingerprint = fingerprint_of(folder, _FORMAT)
    weights = _decode_weights(read_cache("timm/weights", folder, fingerprint))
    if weights is None:
        from essmc_timm.scan_weights import scan_weights

        weights = scan_weights(folder, load_index(folder))
        rows = [[one.name, one.module, one.line, one.stated] for one in weights]
        write_cache("timm/weights", folder, fingerprint, {"weights": rows})
    return weights


def find_models_folder() -> Path:
    """Returns ``timm/models`` of the importable timm, without importing it.

    Raises:
        MissingDependency: timm is not installed.
    """
    # For a top-level package find_spec reads the folder only; it does not import it.
    spec = find_spec("timm")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependency("essmc-timm needs timm, which is not installed", hint="pip install timm")
    return Path(spec.submodule_search_locations[0], "models")


def _decode(content: Any) -> Index | None:
    try:
        models, deprecated = content["models"], content["deprecated"]
        texts = [name for names in models.values() for name in names] + [*deprecated, *deprecated.values()]
        if not all(isinstance(names, list) for names in models.values()) or not all(map(_is_text, texts)):
            return None
        return Index({module: tuple(names) for module, names in models.items()}, deprecated)
    except (KeyError, TypeError, AttributeError):
        return None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _decode_weights(content: Any) -> list[Weights] | None:
    try:
        found = [Weights(*row) for row in content["weights"]]
        fits = all(_is_text(one.name) and _is_text(one.module) and isinstance(one.stated, Mapping) for one in found)
        return found if fits else None
    except (KeyError, TypeError):
        return None

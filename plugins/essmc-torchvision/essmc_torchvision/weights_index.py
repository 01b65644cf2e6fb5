"""All of torchvision's weights of classifiers, read once per installed torchvision and kept in the cache folder."""

from __future__ import annotations

from pathlib import Path

from essmc_core.foundation.source_cache import fingerprint_of, read_cache, write_cache
from essmc_torchvision.index import find_models_folder, read_index
from essmc_torchvision.scan_weights import Weights, scan_weights

_FORMAT = 1


def load_weights(models_folder: Path | None = None) -> list[Weights]:
    """Returns the weights, from the cache when it is up to date.

    Args:
        models_folder: a ``torchvision/models`` folder; that of the importable torchvision by default.

    Raises:
        MissingDependency: torchvision is not installed.
    """
    folder = models_folder or find_models_folder()
    fingerprint = fingerprint_of(folder, _FORMAT) + fingerprint_of(folder / "video", _FORMAT)
    try:
        return [Weights(*row) for row in read_cache("torchvision/weights", folder, fingerprint)["weights"]]
    except (TypeError, KeyError):
        weights = scan_weights(folder, read_index(folder))
    rows = [[one.name, one.module, one.line, one.stated] for one in weights]
    write_cache("torchvision/weights", folder, fingerprint, {"weights": rows})
    return weights

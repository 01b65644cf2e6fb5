"""Class names of ImageNet's subsets, from the files that timm ships, without importing it."""

from __future__ import annotations

import csv
import functools
from pathlib import Path

from essmc_timm.index import find_models_folder

SUBSETS = {
    1000: ("imagenet", "ImageNet-1k"),
    11221: ("imagenet21k_miil", "ImageNet-21k (MIIL)"),
    11821: ("imagenet12k", "ImageNet-12k"),
    21841: ("imagenet22k", "ImageNet-22k"),
    21842: ("imagenet22k_ms", "ImageNet-22k (Microsoft)"),
    21843: ("imagenet21k_goog", "ImageNet-21k (Google)"),
}
"""By number of classes, as timm tells them apart: the stem of its files, and the name of the subset."""


def class_names(classes: int) -> list[str]:
    """Returns the class names by index.

    Args:
        classes: how many there are, a key of `SUBSETS`.
    """
    folder = find_models_folder().parent / "data" / "_info"
    lemmas = _lemmas(folder / "imagenet_synset_to_lemma.txt")
    synsets = (folder / f"{SUBSETS[classes][0]}_synsets.txt").read_text(encoding="utf-8").split()
    return [lemmas[synset] for synset in synsets]


@functools.lru_cache(maxsize=1)
def _lemmas(path: Path) -> dict[str, str]:
    # Some names are quoted, as timm reads them.
    return dict(csv.reader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t"))

"""Classes from the names of folders, and what is no class: empty folders, splits, what systems leave behind."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from essmc_core.errors import ConfigError
from essmc_core.inputs.media_files import is_hidden
from essmc_data.errors import DatasetNotFound
from essmc_data.files.listing import list_files
from essmc_data.files.locations import is_url, local_path
from essmc_data.lists.class_names import distinct_names, shortened

_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing", "eval"})
_logger = logging.getLogger("essmc_data")


def files_by_class(
    root: str, suffixes: Sequence[str], classes: Sequence[str] | None
) -> tuple[tuple[str, ...], list[tuple[str, int]]]:
    """Returns the classes, and (path, label) of the files below folders of their names.

    A folder without a file of the suffixes is no class: object stores have no empty folders, and nothing could be
    learned of it. Such folders, and files beside the folders, are named in a warning.

    Args:
        root: folder or URL.
        suffixes: of the files' names.
        classes: names in the order of their numbers; by default the folders' in alphabetical order.

    Raises:
        DatasetNotFound: there is no such folder, or its folders are splits.
        ConfigError: a folder is not among ``classes``, or those are no distinct names.
    """
    found = list_files(root, tuple(suffix.lower() for suffix in suffixes))
    paths = [path for path in found if "/" in path]
    folders = sorted({path.partition("/")[0] for path in paths})
    names = tuple(folders) if classes is None else distinct_names(classes)
    if classes is None and len(folders) > 1 and _SPLITS.issuperset(name.lower() for name in folders):
        raise DatasetNotFound(
            f"The folders of {root} are splits, not classes: {', '.join(folders)}.",
            hint=f"Name one of them, {root.rstrip('/')}/{folders[0]}; or give `classes`, if these are classes.",
        )
    if unknown := sorted(set(folders) - set(names)):
        lacking = sorted(set(names) - set(folders))
        raise ConfigError(
            f"{root} has folders that are not among the classes: {shortened(unknown)}; "
            f"classes without a folder: {shortened(lacking) or 'none'}."
        )
    _tell_left_out(root, folders, [path for path in found if "/" not in path], suffixes)
    labels = {name: number for number, name in enumerate(names)}
    return names, [(path, labels[path.partition("/")[0]]) for path in paths]


def _tell_left_out(root: str, classes: Sequence[str], beside: Sequence[str], suffixes: Sequence[str]) -> None:
    if beside:
        _logger.warning("%s has files in no class's folder, which are left out: %s", root, shortened(beside))
    if is_url(root):
        return
    entries = [entry.name for entry in local_path(root).iterdir() if entry.is_dir() and not is_hidden(entry.name)]
    if empty := sorted(set(entries) - set(classes)):
        endings = shortened(list(suffixes))
        _logger.warning("%s has folders without a file %s, which are no classes: %s", root, endings, shortened(empty))

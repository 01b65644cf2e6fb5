"""Names of classes: read from a configuration or the file it names, and compared in number with the head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from essmc_core.errors import ConfigError, ConfigFileNotFound

if TYPE_CHECKING:
    from essmc_core.config import Config
    from essmc_core.location import Location

ResolvePack = Callable[[str, str], Path]
_HINT = "give one label for each class, or labels=null to have indices"


def read_labels(config: Config, resolve_pack: ResolvePack | None = None) -> list[str]:
    """Returns the class names by index, empty if the configuration has none.

    Args:
        config: with ``labels``, a list or a file with one label per line. The path of the file is relative to the
            configuration that names it, or to the working directory if an override does; ``pack::file`` is a file that
            a pack ships beside its zoo entries.
        resolve_pack: returns the file that ``pack::file`` names; None: there are no packs.

    Raises:
        ConfigFileNotFound: the file of labels is missing.
        ConfigError: ``labels`` is neither.
    """
    labels, where = config.get("labels"), config.where("labels")
    if labels is None:
        return []
    if isinstance(labels, (list, tuple)) and not any(isinstance(label, (Mapping, list, tuple)) for label in labels):
        return [str(label) for label in labels]
    if not isinstance(labels, str):
        raise ConfigError(f"`labels` is a list or a file, got {labels!r}", where=where)
    path = _path(labels, where, resolve_pack)
    try:
        there = path.exists()
    except (OSError, ValueError):
        there = False
    if not there:
        raise ConfigFileNotFound(f"the file of labels {path} does not exist", where=where)
    from essmc_core.config.files import read_text

    return read_text(path, where).splitlines()


def _path(labels: str, where: Location | None, resolve_pack: ResolvePack | None) -> Path:
    pack, separator, file = labels.partition("::")
    if separator and resolve_pack is not None:
        try:
            return resolve_pack(pack, file)
        except ConfigFileNotFound as error:
            error.where = error.where or where
            raise
    written_in = Path(where.source) if where is not None and where.line else Path()
    return written_in.parent / _expanded(labels)


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # ~ of an unknown user
        return Path(path)


def checked_labels(config: Config, counts: Sequence[int], resolve_pack: ResolvePack | None = None) -> list[str]:
    """Returns the class names after checking that their number is that of the classes.

    Args:
        config: with ``labels``, see :func:`read_labels`.
        counts: classes of each output; labels belong to the outputs of as many classes. Empty: unknown.
        resolve_pack: see :func:`read_labels`.

    Raises:
        ConfigError: the labels cannot be read, or no output has as many classes.
    """
    labels = read_labels(config, resolve_pack)
    if labels and counts and len(labels) not in counts:
        classes = " and ".join(map(str, counts))
        message = f"there are {len(labels)} labels, and the head has {classes} classes"
        raise ConfigError(message, where=config.where("labels"), hint=_HINT)
    return labels


def configured_counts(config: Config) -> tuple[int, ...]:
    """Returns the number of classes of each output that the configuration states, empty if it does not.

    The number is at the path of the knob ``num_classes``, or else at ``model.head.num_classes``.
    """
    knobs = config.get("knobs")
    stated = knobs.get("num_classes") if isinstance(knobs, Mapping) else None
    path = stated if isinstance(stated, str) else (stated or ("model.head.num_classes",))[0]
    value: Any = config
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return ()
        value = value[part]
    counts = value if isinstance(value, (list, tuple)) else (value,)
    return tuple(counts) if all(isinstance(count, int) for count in counts) else ()

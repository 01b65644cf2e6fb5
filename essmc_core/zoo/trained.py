"""What a training leaves behind, as a model: a work dir, or a checkpoint, with configuration, names and weights."""

from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from essmc_core.errors import ConfigError, ConfigFileNotFound, MissingDependency, WeightsCorrupt, WeightsNotFound
from essmc_core.location import Location
from essmc_core.weights.checkpoints import damage, is_sealed, newest_first, standing_for
from essmc_core.zoo.labels import configured_counts

if TYPE_CHECKING:
    from essmc_core.config import Config
    from essmc_core.zoo.zoo import Zoo

SIDECAR = "run.yaml"
"""The configuration of a run, in its work dir."""
PACKS = "x-packs"
"""Section of that file: the distributions that brought the model's parts, with their versions."""
_SUFFIXES = (".pth", ".pt", ".ckpt", ".bin", ".tar")
# How the run began, and what was measured of the entry it began with, is not true of what it made.
_OUTDATED = ("zoo", "pretrained", "weights", "weights_note", "results", "cost", "aliases", PACKS)


@dataclass(frozen=True)
class Trained:
    """A training's result.

    Attributes:
        path: the work dir or checkpoint that was named.
        config: its configuration, whole: nothing in it names the weights that the run began with.
        packs: distributions that brought the model's parts, with their versions then.
        missing: those of them that are not installed.
    """

    path: Path
    config: Config
    packs: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint by its name, unread; None where there is none yet."""
        return next(standing_for(self.path), None) if self.path.is_dir() else self.path

    def require_packs(self) -> None:
        """Refuses a run whose model's packs are not all here.

        Raises:
            MissingDependency: names them.
        """
        if self.missing:
            wanted = " and ".join(f"{name} {self.packs[name]}" for name in self.missing)
            verb = "is" if len(self.missing) == 1 else "are"
            raise MissingDependency(
                f"{self.path} was trained with {wanted}, which {verb} not installed",
                hint=f"pip install {' '.join(self.missing)}",
            )


def find_run(source: str | os.PathLike[str], zoo: Zoo) -> Path | None:
    """Returns the work dir or checkpoint that a model's name stands for, None where it stands for something else.

    The name of a zoo model is that model, whatever files there are; ``./name`` is always a file or folder.

    Raises:
        ConfigError: it is a folder without a training in it.
        ConfigFileNotFound: it is called like a checkpoint, and there is none.
    """
    text = os.fspath(source)
    named = isinstance(source, str)
    if not text or "\0" in text or (named and zoo.table.find(text) is not None):
        return None
    path = Path(text)
    if path.is_dir():
        return _checked_folder(path, is_path=not named or os.sep in text or "/" in text)
    if path.suffix in _SUFFIXES:
        if not path.exists():
            raise ConfigFileNotFound(f"there is no checkpoint {path}", hint=_beside(path))
        return path
    return None


def _checked_folder(path: Path, is_path: bool) -> Path | None:
    if (path / SIDECAR).is_file() or any(standing_for(path)):
        return path
    if not is_path:
        return None
    files = sorted(item.name for item in path.glob("*.y*ml"))[:5]
    hint = (
        f"name a file in it, such as {path / files[0]}" if files else "a work dir of `essmc train` has run.yaml in it"
    )
    raise ConfigError(f"{path} is a folder without a training in it", hint=hint)


def _beside(path: Path) -> str:
    siblings = [item.name for item in newest_first(path.parent)[:3]]
    return f"the newest beside it: {', '.join(siblings)}" if siblings else ""


def read_trained(path: Path, installed: Container[str]) -> Trained:
    """Reads the configuration of a run; that of a work dir without reading weights, so without torch.

    Args:
        path: the work dir or checkpoint.
        installed: distributions that are there.

    Raises:
        ConfigError: there is no configuration in it.
        WeightsError: it cannot be read.
    """
    if path.is_dir() and (path / SIDECAR).is_file():
        from essmc_core.config import load_config

        config = load_config(path / SIDECAR)
    else:
        config = _of_checkpoint(trained_weights(path))
    written = config.get(PACKS)
    packs = dict(written) if isinstance(written, Mapping) else {}
    return Trained(path, _as_trained(config), packs, tuple(name for name in packs if name not in installed))


def _of_checkpoint(file: Path) -> Config:
    from essmc_core.weights import read_weights

    content = read_weights(file)
    config = sidecar(content, Location(str(file)))
    if config is None:
        raise ConfigError(
            f"{file} holds weights and does not say of which model",
            hint="name the model, and give the file as --checkpoint (checkpoint= or weights= in Python)",
        )
    return config


def sidecar(content: Mapping[str, Any], where: Location | None = None) -> Config | None:
    """Returns the whole configuration that a checkpoint tells of, None where it tells of no model.

    Args:
        content: what the checkpoint holds: ``config``, what the run was given; ``card``, what built its model;
            ``input`` and ``labels``.
        where: the position that all of it gets.
    """
    from essmc_core.config import Config

    card = content.get("card") if isinstance(content.get("card"), Mapping) else {}
    stated = _configuration(content.get("config"), card.get("config"))  # type: ignore[union-attr]
    if stated is None:
        return None
    packs = card.get("packs")  # type: ignore[union-attr]
    facts: dict[str, Any] = {key: content[key] for key in ("input", "labels") if content.get(key) is not None}
    facts[PACKS] = dict(packs) if isinstance(packs, Mapping) else {}
    config = Config.from_mapping({**stated, **facts}, where=where)
    labels, counts = config.get("labels"), configured_counts(config)
    if isinstance(labels, (list, tuple)) and len(counts) == 1 and 0 < len(labels) < counts[0]:
        # The data had fewer classes than the head.
        return config.with_overrides({"labels": [*labels, *map(str, range(len(labels), counts[0]))]})
    return config


def _configuration(config: Any, built_by: Any) -> dict[str, Any] | None:
    """Returns a whole configuration from what a run was given and from what built its model."""
    given = dict(config) if isinstance(config, Mapping) else {}
    built = dict(built_by) if isinstance(built_by, Mapping) else {}
    if "type" in built and "model" not in built:
        built = {"model": built}
    if isinstance(given.get("model"), Mapping):
        return given
    if isinstance(built.get("model"), Mapping):
        without = {key: value for key, value in given.items() if key not in ("zoo", "knobs", "pretrained")}
        return {**{key: value for key, value in built.items() if key not in ("data", "solver")}, **without}
    return given if isinstance(given.get("zoo"), str) else None


def _as_trained(config: Config) -> Config:
    """Returns a run's configuration as that of the model it made."""
    kept = config if "zoo" in config and "model" not in config else config.without(*_OUTDATED)
    changes: dict[str, object] = dict.fromkeys(_pretrain_paths(kept.get("model"), "model"))
    return kept.with_overrides(changes) if changes else kept


def _pretrain_paths(value: Any, path: str) -> Iterator[str]:
    """Yields the paths of ``pretrain``: the checkpoint has all weights, and those files may be gone."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == "pretrain" and item is not None:
                yield f"{path}.{key}"
            else:
                yield from _pretrain_paths(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _pretrain_paths(item, f"{path}.{index}")


def intact(folder: Path) -> Iterator[Path]:
    """Yields the checkpoints that a folder may stand for and that are whole, with a warning of others.

    Checkpoints without a seal, which other programs write, are whole if they are archives to their end.
    """
    for path in standing_for(folder):
        written_by_others = not is_sealed(path) and zipfile.is_zipfile(path)
        if not written_by_others and (problem := damage(path)):
            warnings.warn(f"{problem} Going on to the next in {folder}.", stacklevel=3)
        else:
            yield path


def trained_weights(path: Path) -> Path:
    """Returns the checkpoint that a work dir or checkpoint stands for: the best of a folder, else its last intact one.

    Raises:
        WeightsNotFound: there is none.
        WeightsCorrupt: it is damaged, and so are all others.
    """
    if not path.is_dir():
        if path.is_file() and is_sealed(path) and (problem := damage(path)):
            raise WeightsCorrupt(problem, hint=_beside(path))
        return path
    found = next(intact(path), None)
    if found is not None:
        return found
    if any(standing_for(path)):
        raise WeightsCorrupt(f"every checkpoint in {path} is damaged", hint="train again, or copy them again")
    raise WeightsNotFound(
        f"there is no checkpoint in {path}", hint="`essmc train` writes epoch-00001.pth … there; --random goes without"
    )

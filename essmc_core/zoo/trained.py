"""A stored model: a work dir, checkpoint or file of `save` with configuration, class names and weights."""

from __future__ import annotations

import os
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from essmc_core.errors import ConfigError, ConfigFileNotFound, WeightsCorrupt, WeightsNotFound
from essmc_core.location import Location
from essmc_core.weights.checkpoints import damage, is_sealed, newest_first, standing_for
from essmc_core.weights.described_file import checked_description, read_description
from essmc_core.zoo.labels import configured_counts
from essmc_core.zoo.licence import without_weights_licence
from essmc_core.zoo.needed_packs import NeededPacks, needed_packs

if TYPE_CHECKING:
    from essmc_core.config import Config
    from essmc_core.zoo.zoo import Zoo

SIDECAR = "run.yaml"
"""The configuration of a run, in its work dir."""
PACKS = "x-packs"
"""Section of that file: the distributions that provide the model's components, with their versions."""
LOCAL = "x-local"
"""Section of that file: components that no pack provides, and the module that registered each."""
WEIGHTS = "model.safetensors"
"""The file of `save` in a folder that is laid out as the Hub does."""
_REPOSITORY = re.compile(r"hf://[^/@]+/[^/@]+(@[^/]+)?/?")
SUFFIXES = (".pth", ".pt", ".ckpt", ".bin", ".tar")
"""What names of checkpoints end in."""
_OF_WEIGHTS = ("results", "check")
# Sections about the initial weights and the results of the entry do not apply to the trained model.
_OUTDATED = ("zoo", "pretrained", "weights", "weights_note", "results", "cost", "aliases", "check", PACKS, LOCAL)


@dataclass(frozen=True)
class Trained:
    """A training's result, or a model that was saved.

    Attributes:
        path: the given work dir, checkpoint or file.
        config: its whole configuration, without references to the run's initial weights.
        needed: the packs that it needs.
        description: what the file itself says of its model, None where it says nothing.
        file: the file that the description is in.
    """

    path: Path
    config: Config
    needed: NeededPacks = field(default_factory=NeededPacks)
    description: Mapping[str, Any] | None = None
    file: Path | None = None

    @property
    def packs(self) -> Mapping[str, str]:
        """Distributions that provide the model's components, with their versions when it was stored."""
        return self.needed.versions

    @property
    def is_work_dir(self) -> bool:
        """Whether it is a folder with the configuration of a run in it."""
        return (self.path / SIDECAR).is_file()

    @property
    def checkpoint(self) -> Path | None:
        """The path of the checkpoint, which is not read; None if there is none yet."""
        return next(standing_for(self.path), None) if self.path.is_dir() else self.path

    def require_packs(self) -> None:
        """Raises unless all packs of the model are installed; warns if one is older than it was.

        Raises:
            MissingDependency: some are not installed; the message names them.
        """
        self.needed.require(self.path)


def find_run(source: str | os.PathLike[str], zoo: Zoo) -> Path | None:
    """Returns the work dir or file that a model's name refers to, None if it refers to something else.

    The name of a zoo model takes precedence over files; ``./name`` is always a file or folder. A folder that is laid
    out as the Hub does refers to the file of `save` in it, and ``hf://owner/name[@revision]`` to the Hub's own.

    Raises:
        ConfigError: it is a folder without a training in it.
        ConfigFileNotFound: it has the name of a checkpoint, but does not exist.
        WeightsNotFound: the Hub has no such model, or cannot be reached.
    """
    text = os.fspath(source)
    named = isinstance(source, str)
    if not text or "\0" in text or (named and zoo.table.find(text) is not None):
        return None
    if text.startswith("hf://"):
        return _of_hub(text)
    path = Path(text)
    if path.is_dir():
        return _checked_folder(path, is_path=not named or os.sep in text or "/" in text)
    if path.suffix in (*SUFFIXES, ".safetensors"):
        if not path.exists():
            raise ConfigFileNotFound(f"there is no checkpoint {path}", hint=_beside(path))
        return path if path.suffix in SUFFIXES or _is_described(path) else None
    return None


def _of_hub(address: str) -> Path | None:
    """Returns the local copy of the file of `save` in a repository of the Hub; None for the address of one file."""
    repository = _REPOSITORY.fullmatch(address)
    if repository is None:
        return None
    from essmc_core.weights.hub import fetch_from_hub

    return fetch_from_hub(f"{address.rstrip('/')}/{WEIGHTS}")


def _is_described(path: Path) -> bool:
    try:
        return read_description(path) is not None
    except OSError:
        return False


def _checked_folder(path: Path, is_path: bool) -> Path | None:
    if (path / SIDECAR).is_file() or any(standing_for(path)):
        return path
    if (path / WEIGHTS).is_file() and _is_described(path / WEIGHTS):
        return path / WEIGHTS
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


def read_trained(path: Path, installed: Mapping[str, str]) -> Trained:
    """Reads the configuration of a stored model, without torch unless it is a checkpoint.

    Args:
        path: the work dir, checkpoint or file of `save`.
        installed: installed distributions with their versions.

    Raises:
        ConfigError: there is no configuration in it.
        WeightsError: it cannot be read.
    """
    description, file = None, None
    if path.is_dir() and (path / SIDECAR).is_file():
        from essmc_core.config import load_config

        config = load_config(path / SIDECAR)
    else:
        file = trained_weights(path)
        description = _description(file)
        content = {"card": description} if description else _content(file)
        description = description or checked_description(content.get("card"), file)
        config = _configured(file, content)
    needed = needed_packs(config.get(PACKS), config.get(LOCAL), installed)
    kept = without_start(config)
    if description is not None:
        # Of the start's, none are in a description: these are of the weights in the file.
        own = {key: config[key] for key in _OF_WEIGHTS if config.get(key) is not None}
        kept = kept.with_overrides(own) if own else kept
    return Trained(path, kept, needed, description, file)


def stored_config(content: Mapping[str, Any]) -> Config:
    """Returns the configuration of the model that a file will hold, as it is read from there.

    Args:
        content: what is stored, as for `sidecar`, with a configuration.
    """
    config = sidecar(content)
    assert config is not None
    return without_start(config)


def _description(file: Path) -> dict[str, Any] | None:
    try:
        return read_description(file)
    except OSError as error:
        raise WeightsNotFound(f"{file} cannot be read: {error.strerror or error}") from error


def _content(file: Path) -> Mapping[str, Any]:
    from essmc_core.weights import read_weights

    return read_weights(file)


def _configured(file: Path, content: Mapping[str, Any]) -> Config:
    config = sidecar(content, Location(str(file)))
    if config is None:
        raise ConfigError(
            f"{file} holds weights and does not say of which model",
            hint="name the model, and give the file as --checkpoint (checkpoint= or weights= in Python)",
        )
    return config


def sidecar(content: Mapping[str, Any], where: Location | None = None) -> Config | None:
    """Returns the whole configuration in a checkpoint, None if it does not describe a model.

    Args:
        content: content of the checkpoint: ``config``, the configuration of the run; ``card``, what built its model;
            ``input`` and ``labels``.
        where: the position that all values are given.
    """
    from essmc_core.config import Config

    card = content.get("card") if isinstance(content.get("card"), Mapping) else {}
    stated = _configuration(content.get("config"), card.get("config"))  # type: ignore[union-attr]
    if stated is None:
        return None
    facts: dict[str, Any] = {key: content[key] for key in ("input", "labels") if content.get(key) is not None}
    packs, local = card.get("packs"), card.get("local")  # type: ignore[union-attr]
    facts[PACKS] = dict(packs) if isinstance(packs, Mapping) else {}
    facts |= {LOCAL: dict(local)} if isinstance(local, Mapping) and local else {}
    config = Config.from_mapping({**stated, **facts}, where=where)
    labels, counts = config.get("labels"), configured_counts(config)
    if isinstance(labels, (list, tuple)) and len(counts) == 1 and 0 < len(labels) < counts[0]:
        # The data had fewer classes than the head.
        return config.with_overrides({"labels": [*labels, *map(str, range(len(labels), counts[0]))]})
    return config


def _configuration(config: Any, built_by: Any) -> dict[str, Any] | None:
    """Returns a whole configuration, combined from the run's configuration and the model's card."""
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


def without_start(config: Config) -> Config:
    """Returns the configuration of a model with other weights than it says: nothing refers to those."""
    kept = config if "zoo" in config and "model" not in config else config.without(*_OUTDATED)
    kept = without_weights_licence(kept)
    changes: dict[str, object] = dict.fromkeys(_pretrain_paths(kept.get("model"), "model"))
    return kept.with_overrides(changes) if changes else kept


def _pretrain_paths(value: Any, path: str) -> Iterator[str]:
    """Yields the paths of ``pretrain``, which is not needed: the checkpoint has all weights."""
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
    """Yields the intact checkpoints that a folder may refer to, with a warning about damaged ones.

    Checkpoints without a seal, written by other programs, are intact if they are complete archives.
    """
    for path in standing_for(folder):
        written_by_others = not is_sealed(path) and zipfile.is_zipfile(path)
        if not written_by_others and (problem := damage(path)):
            warnings.warn(f"{problem} Going on to the next in {folder}.", stacklevel=3)
        else:
            yield path


def trained_weights(path: Path) -> Path:
    """Returns the checkpoint of a work dir or checkpoint path: the best of a folder, else its last intact one.

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

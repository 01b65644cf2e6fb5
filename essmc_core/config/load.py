"""Loads a file into a Config: the files named in ``_base_`` first, the file merged over them, overrides last."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from essmc_core.config.files import read_text
from essmc_core.config.mapping import Config
from essmc_core.config.merge import merge
from essmc_core.config.overrides import apply_overrides
from essmc_core.config.reader import read_yaml
from essmc_core.config.tree import (
    BASE_KEY,
    MAX_DEPTH,
    Entry,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    describe,
    from_python,
)
from essmc_core.errors import ConfigCycle, ConfigError, ConfigSyntaxError, EssmcError
from essmc_core.location import Location

PackResolver: TypeAlias = Callable[[str, str], Path]


def load_config(
    source: str | Path,
    overrides: str | Sequence[str] | Mapping[str, object] = (),
    *,
    resolve_pack: PackResolver | None = None,
) -> Config:
    """Reads a YAML configuration.

    Scalars follow YAML 1.2 (see ``essmc_core.config.scalars``): ``1e-3`` is a number, ``no`` and ``2024-01-31`` are
    strings. Lists become tuples.

    ``_base_`` at the top of a file names a file relative to it, ``pack::file``, or a list of them. The named files are
    merged in order and the file itself last: mappings merge key by key, anything else replaces what was there, whatever
    the two types. ``_delete_: true`` in a mapping makes it replace everything that earlier files have in its place;
    without it, a mapping that changes ``type`` keeps the base's other arguments, with the positions they came from.

    Args:
        source: the file.
        overrides: ``"model.head.num_classes=51"`` strings, whose values are YAML scalars or ``[...]``/``{...}``, or a
            mapping from dotted path to value. Each sets one value, as an assignment would, without merging.
        resolve_pack: returns the path of ``file`` in ``pack`` for bases written ``pack::file``.

    Raises:
        ConfigFileNotFound: the file, or one named in a ``_base_``, does not exist.
        ConfigSyntaxError: a file is not in the YAML subset of configurations.
        ConfigCycle: files name each other in ``_base_``.
        OverrideError: an override cannot be applied.
        ConfigError: any other reason why a file cannot be used.
    """
    root = load_nodes(source, resolve_pack)
    return Config.from_node(apply_overrides(root, overrides))


def load_nodes(source: str | Path, resolve_pack: PackResolver | None = None) -> MappingNode:
    """Reads a file with its bases as :func:`load_config` does, and returns the tree of nodes.

    Raises:
        ConfigError: as for :func:`load_config`.
    """
    return _FileLoader(resolve_pack).load(Path(source), None)


def load_with_files(source: Path, resolve_pack: PackResolver | None = None) -> tuple[Config, list[Path]]:
    """Returns a configuration and all files that it was read from.

    Raises:
        ConfigError: as for :func:`load_config`.
    """
    loader = _FileLoader(resolve_pack)
    config = Config.from_node(loader.load(source, None))
    return config, list(loader.loaded)


def over_bases(
    content: Mapping[str, object], path: Path, where: Location | None, resolve_pack: PackResolver | None = None
) -> Config:
    """Returns a mapping merged over the files that its ``_base_`` names.

    Args:
        content: with ``_base_``.
        path: what relative names of files are relative to: a file in the same folder, which need not exist.
        where: the position of all values of the mapping.
        resolve_pack: as for :func:`load_config`.

    Raises:
        ConfigError: as for :func:`load_config`.
    """
    own = from_python({key: value for key, value in content.items() if key != BASE_KEY}, where)
    base = Entry(where, from_python(content[BASE_KEY], where))
    assert isinstance(own, MappingNode)
    root = MappingNode({BASE_KEY: base, **own.entries}, where, own.replaces)
    return Config.from_node(_FileLoader(resolve_pack).with_bases(root, path))


class _FileLoader:
    """Loads files with their bases, each once."""

    def __init__(self, resolve_pack: PackResolver | None) -> None:
        self.resolve_pack = resolve_pack
        self.loaded: dict[Path, MappingNode] = {}
        # Files being loaded, outermost first, each with the place that named it.
        self.chain: dict[Path, tuple[Path, Location | None]] = {}

    def load(self, path: Path, named_at: Location | None) -> MappingNode:
        identity = Path(os.path.realpath(path)) if "\0" not in str(path) else path
        if identity in self.chain:
            raise self.cycle(identity, path, named_at)
        if len(self.chain) >= MAX_DEPTH:
            raise ConfigError(f"more than {MAX_DEPTH} files, each the {BASE_KEY} of the one before", where=named_at)
        if identity not in self.loaded:
            self.chain[identity] = (path, named_at)
            self.loaded[identity] = self.with_bases(_read_file(path, named_at), path)
            del self.chain[identity]
        return self.loaded[identity]

    def with_bases(self, root: MappingNode, path: Path) -> MappingNode:
        if BASE_KEY not in root.entries:
            return root
        own = {key: entry for key, entry in root.entries.items() if key != BASE_KEY}
        below: MappingNode | None = None
        for name, named_at in _base_names(root.entries[BASE_KEY].value):
            base = self.load(self.base_path(name, path, named_at), named_at)
            below = base if below is None else merge(below, base)
        over = MappingNode(own, root.where, root.replaces)
        return over if below is None else merge(below, over)

    def base_path(self, name: str, path: Path, named_at: Location | None) -> Path:
        pack, separator, file = name.partition("::")
        if not separator:
            return Path(os.path.normpath(path.parent / name))
        if self.resolve_pack is None:
            raise ConfigError(
                f"{name!r} names a file in the pack {pack!r}, and packs are not available here", where=named_at
            )
        try:
            return self.resolve_pack(pack, file)
        except EssmcError as error:
            error.where = error.where or named_at
            raise

    def cycle(self, identity: Path, path: Path, named_at: Location | None) -> ConfigCycle:
        files = list(self.chain)
        links = [self.chain[file] for file in files[files.index(identity) + 1 :]] + [(path, named_at)]
        steps = [f"{where} names {file}" for file, where in links]
        return ConfigCycle(
            "files name each other in " + "\n".join([f"{BASE_KEY}:", *(f"    {step}" for step in steps)]),
            where=links[0][1],
            hint=f"Remove one of these {BASE_KEY} lines." if len(links) > 1 else f"Remove this {BASE_KEY} line.",
        )


def _read_file(path: Path, named_at: Location | None) -> MappingNode:
    root = read_yaml(read_text(path, named_at), str(path))
    if root is None or (isinstance(root, ScalarNode) and root.value is None):
        return MappingNode({}, Location(str(path)))
    if not isinstance(root, MappingNode):
        hint = "Configurations are YAML data; Python files are not run." if path.suffix == ".py" else ""
        raise ConfigSyntaxError(
            f"the top of a configuration is a mapping, not {describe(root)}", where=root.where, hint=hint
        )
    return root


def _base_names(value: Node) -> list[tuple[str, Location | None]]:
    nodes = value.items if isinstance(value, SequenceNode) else (value,)
    names: list[tuple[str, Location | None]] = []
    for node in nodes:
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str) or not node.value:
            raise ConfigError(
                f"{BASE_KEY} is a file name or a list of them, not {describe(node)}", where=node.where or value.where
            )
        names.append((node.value, node.where))
    return names

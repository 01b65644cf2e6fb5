"""What to build: a zoo name, a file, a run or a mapping, with the user's arguments applied to it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from essmc_core.errors import ConfigError, SchemaError, UnknownModel
from essmc_core.zoo.code_section import import_stated_code
from essmc_core.zoo.knobs import Knobs
from essmc_core.zoo.labels import checked_labels, configured_counts, read_labels
from essmc_core.zoo.sections import unknown_sections
from essmc_core.zoo.zoo_file import ZooFile, as_changes, read_zoo_file

if TYPE_CHECKING:
    from essmc_core.config import Config
    from essmc_core.inputs import InputSpec
    from essmc_core.zoo.trained import Trained
    from essmc_core.zoo.zoo import Zoo, ZooEntry

ModelRef: TypeAlias = "str | os.PathLike[str] | Mapping[str, Any]"
"""What names a model: a zoo name, a path, or a configuration."""
Overrides: TypeAlias = "str | Sequence[str] | Mapping[str, object]"


@dataclass(frozen=True)
class Recipe:
    """A model to build, before any component is looked up.

    Attributes:
        name: zoo name, file, work dir or type; for messages and cards.
        config: the whole file or entry, overrides applied. That of a file with ``zoo`` has the entry's sections under
            the file's own.
        model: its ``model`` section.
        prefix: ``model``, or empty if the configuration is the model itself.
        entry: the zoo entry it came from, if any.
        trained: the run it came from, if a work dir or a checkpoint was given.
        file: the own sections of a file with ``zoo``; None for other files.
        overridden: sections that overrides change.
        zoo: where names of packs are looked up.
    """

    name: str
    config: Config
    model: Config
    prefix: str
    entry: ZooEntry | None = None
    trained: Trained | None = None
    file: ZooFile | None = None
    overridden: frozenset[str] = frozenset()
    zoo: Zoo | None = field(default=None, repr=False, compare=False)

    @property
    def is_entry(self) -> bool:
        """Whether a zoo entry was given by its name."""
        return self.entry is not None and self.file is None

    def section(self, name: str) -> Mapping[str, Any]:
        """Returns another section of the file, empty if there is none."""
        value = self.config.get(name) if self.prefix else None
        return value if isinstance(value, Mapping) else {}

    def labels(self) -> list[str]:
        """Returns the class names by index; see `essmc_core.zoo.labels.read_labels`."""
        return read_labels(self.config, None if self.zoo is None else self.zoo.resolve_pack)

    def checked_labels(self, counts: Sequence[int]) -> list[str]:
        """Returns the class names after checking their number; see `essmc_core.zoo.labels.checked_labels`."""
        return checked_labels(self.config, counts, None if self.zoo is None else self.zoo.resolve_pack)

    def input_spec(self) -> InputSpec:
        """Returns the specification of the model's input.

        Raises:
            SchemaError: the section ``input`` is invalid.
            ConfigError: the configuration has none.
        """
        from essmc_core.zoo.input_section import read_input

        if not self.prefix or self.config.get("input") is None:
            raise ConfigError(
                f"{self.name} has no `input` section, so what goes into the model is unknown",
                where=self.config.where(),
                hint="input: {modality: image, size: 224, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}",
            )
        return read_input(self.config)


def read_recipe(
    ref: ModelRef, overrides: Overrides = (), knobs: Mapping[str, Any] | None = None, *, zoo: Zoo
) -> Recipe:
    """Reads a model's configuration and applies the user's arguments.

    Args:
        ref: zoo name; path of a YAML file, of a work dir of training or of a checkpoint; or a mapping with ``type``,
            with ``model`` or with ``zoo``.
        overrides: ``"model.head.dropout_rate=0.1"``, a list of such, or ``{"model.head.dropout_rate": 0.1}``; a knob's
            name may stand for its path.
        knobs: arguments by the public names that the entry declares, e.g. ``num_classes``.
        zoo: where names of zoo models are looked up.

    Raises:
        UnknownModel: the name is neither in the zoo nor a file.
        SchemaError: there are sections that configurations do not have.
        ConfigError: the file cannot be read, or an argument does not apply.
        OwnCodeError: the code that the file names cannot be imported.
        UntrustedCode: it lies outside the current folder, and was not agreed to.
    """
    recipe = open_recipe(ref, overrides, knobs, zoo=zoo)
    _refuse(unknown_sections(recipe.config) if recipe.prefix else [])
    return recipe


def open_recipe(
    ref: ModelRef, overrides: Overrides = (), knobs: Mapping[str, Any] | None = None, *, zoo: Zoo
) -> Recipe:
    """Does as :func:`read_recipe` without checking the file's sections, for callers that check everything together."""
    changes = as_changes(overrides)
    name, config, entry, trained = _load(ref, zoo)
    # A single file that was passed on runs no code, whatever it says.
    if entry is None and (trained is None or trained.is_work_dir):
        import_stated_code(config, stored=trained is not None)
    file = None
    _refuse_zoo_within(config)
    if entry is None and "zoo" in config:
        file, changes = read_zoo_file(config, changes, zoo)
        config, entry = file.combined, file.entry
    prefix = "" if "type" in config and "model" not in config else "model"
    if prefix and not isinstance(config.get("model"), Mapping):
        _refuse(unknown_sections(config))
        raise ConfigError(
            f"{name} has no `model` to build",
            where=config.where("model") or config.where(),
            hint="write `model:` with a `type` under it, or `zoo:` with the name of a zoo model",
        )
    arguments = Knobs(name if entry is None or file is not None else entry.name, config if prefix else None)
    written, paths = config, arguments.expand_overrides(changes)
    if paths:
        config = config.with_overrides(paths)
    if knobs:
        config = config.with_overrides(arguments.expand(knobs))
    if prefix:
        _still_a_choice(config)
    if prefix and (paths or knobs):
        config = _without_old_labels(written, config)
        config = _without_old_check(written, config)
        _still_a_mapping(config)
    names = [text if isinstance(paths, dict) else text.partition("=")[0].strip() for text in paths]
    overridden = frozenset(text.partition(".")[0] for text in names) if prefix else frozenset()
    if "zoo" in overridden:
        where = config.where("zoo")
        raise ConfigError(f"{name} starts from no other zoo model", where=where, hint="name that one in its place")
    model = config["model"] if prefix else config
    return Recipe(name, config, model, prefix, entry, trained, file, overridden, zoo)


def _refuse(issues: list[Any]) -> None:
    if issues:
        raise SchemaError(issues)


def _refuse_zoo_within(config: Config) -> None:
    model = config.get("model")
    if isinstance(model, Mapping) and "zoo" in model and "type" not in model:
        raise ConfigError(
            "a zoo model is named by a section of its own",
            where=config.where_key("model", "zoo"),
            hint=f"write `zoo: {model['zoo']}` in the place of `model:`, and its arguments under `knobs:`",
        )


def _still_a_choice(config: Config) -> None:
    if not isinstance(config.get("pretrained"), (bool, type(None))):
        message = f"`pretrained` is true or false, got {config['pretrained']!r}"
        raise ConfigError(message, where=config.where("pretrained"))


def _still_a_mapping(config: Config) -> None:
    if not isinstance(config["model"], Mapping):
        raise ConfigError(f"`model` is a mapping with a `type`, got {config['model']!r}", where=config.where("model"))


def _load(ref: ModelRef, zoo: Zoo) -> tuple[str, Config, ZooEntry | None, Trained | None]:
    from essmc_core.config import Config, load_config
    from essmc_core.inputs.wrong_kind import check_may_be_configuration
    from essmc_core.zoo.trained import find_run, read_trained

    if isinstance(ref, Mapping):
        config = Config.from_mapping(ref)
        return str(config.get("type", "the given configuration")), config, None, None
    if _is_yaml(ref):
        return str(ref), load_config(Path(ref), resolve_pack=zoo.resolve_pack), None, None
    run = find_run(ref, zoo)
    if run is not None:
        trained = read_trained(run, zoo.installed())
        return str(ref), trained.config, None, trained
    if isinstance(ref, os.PathLike):
        return str(ref), load_config(Path(ref), resolve_pack=zoo.resolve_pack), None, None
    try:
        entry = zoo.entry(ref)
    except UnknownModel:
        check_may_be_configuration(ref)
        raise
    return zoo.table.display_name(entry), entry.config, entry, None


def _is_yaml(source: str | os.PathLike[str]) -> bool:
    return os.fspath(source).endswith((".yaml", ".yml"))


def _without_old_labels(written: Config, config: Config) -> Config:
    """Drops labels of the original head if overrides changed the number of classes."""
    if config.get("labels") is None or config.where("labels") != written.where("labels"):
        return config
    same = configured_counts(config) == configured_counts(written)
    return config if same else config.with_overrides({"labels": None})


def _without_old_check(written: Config, config: Config) -> Config:
    """Drops the fingerprint if overrides changed what it is of."""
    same = all(written.get(name) == config.get(name) for name in ("model", "input", "weights"))
    return config if same or written.get("check") != config.get("check") else config.without("check")

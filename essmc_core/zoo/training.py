"""Configurations of training: a model, data and a solver in one file, and the initial weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from essmc_core.zoo.recipe import ModelRef, Overrides, Recipe, open_recipe
from essmc_core.zoo.weights_asked import weights_source

if TYPE_CHECKING:
    from essmc_core.config import Config
    from essmc_core.zoo.zoo import Zoo


@dataclass(frozen=True)
class TrainingConfig:
    """What to train, before anything is built.

    Attributes:
        name: file stem or zoo name.
        config: the file, overrides applied; that of the zoo entry if a zoo name was given. A file with ``zoo`` includes
            the entry's sections, but not its ``weights`` unless it states ``pretrained: true``.
        recipe: the recipe of the model.
        pretrained: whether the file or entry requests to load weights first, None if it does not state it.
    """

    name: str
    config: Config
    recipe: Recipe
    pretrained: bool | None = None

    @property
    def of_entry(self) -> bool:
        """Whether a zoo entry is trained by its own name."""
        return self.recipe.is_entry

    @property
    def weights(self) -> dict[str, Any] | None:
        """The weights to load before training, None for none.

        Weights that a file names are loaded unless it states ``pretrained: false``; those of a zoo entry, named by a
        file with ``zoo`` or trained by its own name, only if ``pretrained: true`` is stated.

        Raises:
            WeightsNotFound: the zoo entry's weights are requested, and it names none that can be fetched.
            ConfigError: ``weights`` names nothing that can be loaded.
        """
        if self.pretrained is False:
            return None
        written = None if self.of_entry else self.config.get("weights")
        if written is not None:
            return weights_source(self.recipe, False, written)
        return weights_source(self.recipe, bool(self.pretrained), None)

    @property
    def untaken_weights(self) -> str:
        """The URI of weights that are named but not loaded, empty if there are none."""
        named = self.config.get("weights") or self.recipe.section("weights")
        if self.weights is not None or not named:
            return ""
        return str(named if isinstance(named, str) else named.get("uri") or named.get("path") or "")


def read_training(ref: ModelRef, overrides: Overrides = (), *, zoo: Zoo) -> TrainingConfig:
    """Reads a configuration: a zoo name, a YAML file, or a work dir or checkpoint of training.

    A file has a ``model``, or in its place ``zoo: name`` with ``knobs`` and perhaps ``pretrained: true``.

    Args:
        ref: what to read.
        overrides: changes of it.
        zoo: where names of zoo models are looked up.

    Raises:
        UnknownModel: the name is neither in the zoo nor a file.
        ConfigError: the file cannot be read, or an override does not apply.
    """
    recipe = open_recipe(ref, overrides, zoo=zoo)
    name = recipe.name if recipe.is_entry else Path(recipe.name).stem
    config, file = recipe.config, recipe.file
    pretrained = (config if file is None else file.own).get("pretrained")
    if file is not None and not pretrained and "weights" not in file.own:
        # The entry's weights are loaded only on request; this file does not start from them.
        config = config.without("weights", "weights_note")
    return TrainingConfig(name, config, recipe, pretrained)

"""From a configuration to what a run needs: model, data and solver."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from essmc_core.errors import ConfigError, MissingDependency
from essmc_core.names import did_you_mean
from essmc_solvers.errors import DataError

if TYPE_CHECKING:
    from essmc_core.config import Config
    from essmc_core.recipe import Recipe

OWN_SECTIONS = ("data", "solver", "zoo", "pretrained")


@dataclass(frozen=True)
class Job:
    """A configuration of ``essmc train`` or ``essmc eval``, nothing of it built.

    Attributes:
        name: file stem or zoo name, for the work dir.
        config: the whole file, overrides applied.
        recipe: what builds the model.
        pretrained: load the zoo entry's weights before training.
    """

    name: str
    config: Config
    recipe: Recipe
    pretrained: bool = False

    @property
    def solver(self) -> Config:
        """The ``solver`` section."""
        from essmc_core.config import Config

        section = self.config.get("solver", Config({}))
        if not isinstance(section, Config):
            raise ConfigError("`solver` is a mapping", where=self.config.where("solver"))
        return section

    @property
    def seed(self) -> int:
        """The run's seed."""
        return int(self.solver.get("seed", 0))

    def loader(self, name: str, *, required: bool) -> Iterable[Any] | None:
        """Builds a loader from the section ``data.<name>``.

        Args:
            name: ``train`` or ``eval``.
            required: whether a missing section is an error.

        Raises:
            DataError: the section is missing, or has no dataset.
            MissingDependency: no pack that builds loaders is installed.
        """
        data = self.config.get("data")
        section = data.get(name) if isinstance(data, Mapping) else None
        if section is None:
            if required:
                raise DataError(
                    f"{self.name} has no section data.{name}",
                    where=self.config.where(),
                    hint=f"data: {{{name}: {{dataset: {{type: …}}, batch_size: 32}}}}",
                )
            return None
        if not isinstance(section, Mapping) or "dataset" not in section:
            raise DataError(f"data.{name} needs a `dataset`", where=self.config.where("data", name))
        loader: Iterable[Any] = _loader_builder()(section, seed=self.seed)
        return loader


def read_job(source: str, overrides: Sequence[str] = ()) -> Job:
    """Reads a configuration: a zoo name whose entry has data and solver, or a YAML file.

    A file has a ``model``, or ``zoo: name`` with ``knobs`` and perhaps ``pretrained: true`` in its place.

    Raises:
        UnknownModel: the name is neither in the zoo nor a file.
        ConfigError: the file cannot be read, or an override does not apply.
    """
    from essmc_core.recipe import read_recipe

    if source.endswith((".yaml", ".yml")):
        job = _from_zoo(source, overrides)
        if job is not None:
            return job
    recipe = read_recipe(source, overrides)
    if not recipe.prefix:
        raise ConfigError(
            f"{source} is a model alone: it has no data and no solver",
            where=recipe.config.where(),
            hint="Write the model under `model:`, beside `data:` and `solver:`.",
        )
    return Job(Path(source).stem, recipe.config, recipe)


def _from_zoo(source: str, overrides: Sequence[str]) -> Job | None:
    """Reads a file that names a zoo entry, None if it holds a model itself."""
    from essmc_core.config import load_config
    from essmc_core.defaults import ZOO
    from essmc_core.recipe import read_recipe

    config = load_config(Path(source), resolve_pack=ZOO.resolve_pack)
    if "zoo" not in config or "model" in config:
        return None
    own = [text for text in overrides if text.partition(".")[0].partition("=")[0] in OWN_SECTIONS]
    config = config.with_overrides(own)
    knobs = config.get("knobs", {})
    if not isinstance(knobs, Mapping):
        raise ConfigError("`knobs` is a mapping from the entry's arguments to values", where=config.where("knobs"))
    known = (*OWN_SECTIONS, "knobs", "input", "labels", "summary")
    for key in config:
        if key not in known:
            hint = did_you_mean(key, known) or f"It has {', '.join(known)}."
            message = f"a configuration with `zoo` has no section {key!r}"
            raise ConfigError(message, where=config.where_key(key), hint=hint)
    recipe = read_recipe(str(config["zoo"]), [text for text in overrides if text not in own], knobs)
    return Job(Path(source).stem, config, recipe, bool(config.get("pretrained", False)))


def _loader_builder() -> Callable[..., Iterable[Any]]:
    try:
        from essmc_data.loading import build_loader
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("essmc_data"):
            raise
        message = "the section `data` needs the pack essmc-data"
        raise MissingDependency(message, hint="pip install essmc-data") from error
    built: Callable[..., Iterable[Any]] = build_loader
    return built

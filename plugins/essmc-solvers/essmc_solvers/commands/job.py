"""From a configuration to what a run needs: model, data and solver."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from essmc_core.errors import ConfigError, MissingDependency
from essmc_solvers.errors import DataError

if TYPE_CHECKING:
    from essmc_core.building.part import Part
    from essmc_core.config import Config
    from essmc_core.zoo.recipe import Recipe
    from essmc_core.zoo.resolving import Resolved
    from essmc_core.zoo.training import TrainingConfig


@dataclass(frozen=True)
class Job:
    """A configuration of ``essmc train`` or ``essmc eval``, nothing of it built.

    Attributes:
        name: file stem or zoo name, for the work dir.
        config: the whole file, overrides applied.
        recipe: what builds the model.
        resolved: model, loaders and solver as parts, looked up and checked.
        weights: what to load before training, None for nothing.
        weights_note: what to say of weights that are named and not loaded.
    """

    name: str
    config: Config
    recipe: Recipe
    resolved: Resolved
    weights: Mapping[str, Any] | None = None
    weights_note: str = ""

    def stored_config(self) -> dict[str, Any]:
        """Returns the configuration as checkpoints hold it: with the names of classes in the place of their file.

        Own code is named by absolute paths, because what is stored lies elsewhere.
        """
        from essmc_core.zoo.code_section import stated_places

        labels, code = self.recipe.labels() if self.recipe.prefix else [], stated_places(self.config)
        changed = {**({"labels": labels} if labels else {}), **({"code": code} if code else {})}
        return {**self.config.to_dict(), **changed}

    @property
    def solver(self) -> Config:
        """The ``solver`` section."""
        from essmc_core.config import Config

        section: Config = self.config.get("solver") or Config({})
        return section

    @property
    def seed(self) -> int:
        """The run's seed."""
        return int(self.solver.get("seed", 0))

    @property
    def model_input(self) -> dict[str, Any]:
        """What the model takes: the ``input`` of its zoo entry, changed by the file's own."""
        from essmc_core.zoo.checks.pipeline_notes import stated_input

        return stated_input(self.recipe.config, self.config)

    def notes(self) -> list[str]:
        """Returns what a user should know of the configuration: where pipelines and ``input`` differ."""
        from essmc_core.zoo.checks.pipeline_notes import pipeline_notes

        return pipeline_notes(self.config.get("data"), self.model_input)

    def loader(self, name: str, *, required: bool) -> Iterable[Any] | None:
        """Builds a loader from the section ``data.<name>``.

        Args:
            name: ``train`` or ``eval``.
            required: whether a missing section is an error.

        Raises:
            DataError: the section is missing.
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
        part = self.resolved.loaders.get(name)
        if part is None:
            message = "the section `data` needs the pack essmc-data"
            raise MissingDependency(message, hint="pip install essmc-data")
        return _construct_loader(part, self.seed, self.model_input)


def read_job(source: str, overrides: Sequence[str] = (), *, evaluating: bool = False) -> Job:
    """Reads and checks a configuration: a zoo name whose entry has data and solver, or a YAML file.

    A file has a ``model``, or ``zoo: name`` with ``knobs`` in its place; and perhaps ``weights`` or ``pretrained``.

    Raises:
        UnknownModel: the name is neither in the zoo nor a file.
        ConfigError: the file cannot be read, or an override does not apply.
        SchemaError: model, data or solver do not fit what they name; lists every mistake.
    """
    from essmc_core.models.recipes import read_training, resolve_recipe

    read = read_training(source, overrides)
    if not read.recipe.prefix:
        raise ConfigError(
            f"{source} is a model alone: it has no data and no solver",
            where=read.config.where(),
            hint="Write the model under `model:`, beside `data:` and `solver:`.",
        )
    resolved = resolve_recipe(read.recipe, whole=True, evaluating=evaluating)
    return Job(read.name, read.config, read.recipe, resolved, _of_work_dir(read.weights), _note(read))


def _of_work_dir(source: dict[str, Any] | None) -> dict[str, Any] | None:
    """Puts a checkpoint in the place of a work dir: its best, else its newest."""
    from essmc_solvers.checkpoint.folder import best_or_newest

    uri = None if source is None else source.get("uri", source.get("path"))
    if source is None or not isinstance(uri, str) or "://" in uri:
        return source
    found = best_or_newest(Path(uri).expanduser())
    return source if found is None else {**{key: source[key] for key in source if key != "path"}, "uri": str(found)}


def _loads_itself(config: Any) -> bool:
    """Returns whether a component fetches weights while it is built, as timm's networks do."""
    if isinstance(config, Mapping):
        return bool(config.get("pretrained")) or any(map(_loads_itself, config.values()))
    return isinstance(config, (list, tuple)) and any(map(_loads_itself, config))


def _note(read: TrainingConfig) -> str:
    if read.weights is not None:
        return ""
    left = read.untaken_weights
    random = "all parameters start from random values"
    if _loads_itself(read.recipe.model):
        random = "parameters start as the components' own `pretrained` leaves them"
    return f"{random} (pretrained: true would load {left})" if left else random


def _construct_loader(part: Part, seed: int, model_input: Mapping[str, Any]) -> Iterable[Any]:
    """Constructs a loader; those that have methods for them are given seed and input."""
    from essmc_core.building.construct import construct

    loader: Iterable[Any] = construct(part)
    for method, told in (("complete_pipelines", model_input), ("set_seed", seed)):
        if hasattr(loader, method):
            getattr(loader, method)(told)
    return loader

"""Which distributions a model needs, before anything is built."""

from __future__ import annotations

from essmc_core.models.defaults import DISCOVERY
from essmc_core.models.recipes import read_training, resolve_recipe
from essmc_core.zoo.needed_packs import CORE


def distributions_of(model: str) -> list[str]:
    """Returns the distributions of the components of a model, of its data and solver, and the core.

    Args:
        model: a zoo name, a file, or a work dir or file of a model.

    Raises:
        SchemaError: the configuration does not fit.
        UnknownModel: there is no such model.
    """
    from essmc_core.registry.reading import read_signature

    training = read_training(model)
    parts = resolve_recipe(training.recipe, read_signature, whole=True).parts()
    entry = training.recipe.entry
    packs = {part.component.pack for part in parts} | ({entry.pack} if entry is not None else set())
    return sorted({CORE, *(pack.distribution for pack in DISCOVERY.packs.values() if pack.name in packs)})

"""Building: a configuration resolved with live signatures, then constructed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from essmc_core.building.beside import Beside
from essmc_core.building.construct import construct
from essmc_core.building.mistakes import raise_issues
from essmc_core.building.part import Part
from essmc_core.building.resolve import ReadSignature, Resolver
from essmc_core.errors import Issue
from essmc_core.registry.reading import live_signature
from essmc_core.registry.registry import Family

if TYPE_CHECKING:
    from essmc_core.config import Config
    from essmc_core.registry.registry import Registry


def build(registry: Registry, cfg: object, overrides: Mapping[str, Any]) -> Any:
    """Builds a component as :meth:`essmc_core.registry.registry.Registry.build` describes."""
    if not isinstance(cfg, (str, Mapping)):
        if overrides:
            raise TypeError(f"{type(cfg).__name__} is built already; {', '.join(overrides)} cannot be applied to it")
        return cfg
    config = component_config(cfg, overrides)
    return construct(resolve(registry.kind, config, registry.family, live_signature))


def build_beside(registry: Registry, cfg: object, backbone: object, *parts: object) -> Any:
    """Builds a part of a model whose backbone is built, for models that take configurations of their parts.

    Args:
        registry: the kind of the part.
        cfg: as for `Registry.build`; arguments that the backbone states may be left out.
        backbone: the backbone that states them.
        *parts: components between backbone and part, in order; the last with ``num_features`` replaces the backbone.

    Raises:
        SchemaError: the configuration does not fit.
        LookupFailure: a name cannot be resolved.
    """
    if not isinstance(cfg, (str, Mapping)):
        return cfg
    config = component_config(cfg, {})
    part = resolve(registry.kind, config, registry.family, live_signature, beside_backbone=True)
    return construct(part, Beside.of(backbone, *parts))


def component_config(cfg: str | Mapping[str, Any], overrides: Mapping[str, Any]) -> Config:
    """Returns a name or mapping as a configuration, with top-level arguments replaced."""
    from essmc_core.config import Config

    config = Config.from_mapping({"type": cfg} if isinstance(cfg, str) else cfg)
    if not overrides:
        return config
    return Config.from_mapping({**{key: config[key] for key in config if key not in overrides}, **overrides})


def resolve(
    kind: str,
    config: Config,
    registries: Family,
    read: ReadSignature,
    *,
    prefix: str = "",
    supplied: Collection[str] = (),
    beside_backbone: bool = False,
) -> Part:
    """Resolves a configuration to parts and raises if anything in it does not fit.

    Args:
        kind: plural name of the registry.
        config: a mapping with ``type``.
        registries: where components are looked up.
        read: `live_signature`, or `read_signature` to import nothing.
        prefix: dotted path of ``config`` in the user's file, for messages.
        supplied: arguments that the caller supplies at construction.
        beside_backbone: whether the model has a backbone, which fills some arguments.

    Raises:
        SchemaError: there are mistakes; all of them are listed.
        LookupFailure: the only mistake is a name that cannot be resolved.
    """
    resolver = Resolver(registries, read, config, prefix, beside_backbone=beside_backbone)
    part: Part = resolver.component(kind, config, supplied=supplied)
    raise_issues(resolver.mistakes.issues, resolver.mistakes.cause)
    return part


def mistakes_of(kind: str, config: Config, registries: Family, read: ReadSignature) -> list[Issue]:
    """Returns every mistake of a configuration, in the order of the file; empty when it can be built."""
    resolver = Resolver(registries, read, config)
    resolver.component(kind, config)
    return resolver.mistakes.issues

"""Building a checked configuration depth first: import the target, construct its parts, construct it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from essmc_core.building.check import Checker
from essmc_core.building.derived import Parts, building_order, derived_arguments, takes_backbone
from essmc_core.contract.forward_notes import mark_built
from essmc_core.errors import EssmcError, Issue, SchemaError
from essmc_core.foundation.error_text import add_note
from essmc_core.foundation.plain_data import plain_data
from essmc_core.registry.component import Component
from essmc_core.registry.kinds import DEFAULT, Registries
from essmc_core.signatures.nesting import component_item, component_kind
from essmc_core.signatures.signature import Signature, read_live
from essmc_core.signatures.types import evaluate, has_nested

if TYPE_CHECKING:
    from essmc_core.config import Config
    from essmc_core.registry.registry import Registry


def build(registry: Registry, cfg: object, overrides: Mapping[str, Any]) -> Any:
    """Builds what :meth:`essmc_core.registry.registry.Registry.build` describes."""
    if not isinstance(cfg, (str, Mapping)):
        if overrides:
            raise TypeError(f"{type(cfg).__name__} is built already; {', '.join(overrides)} cannot be applied to it")
        return cfg
    return build_config(registry.kind, component_config(cfg, overrides), registries=registry.family)


def build_beside(registry: Registry, cfg: object, backbone: object, *parts: object) -> Any:
    """Builds a part of a model whose backbone is built, for models that are given configurations of their parts.

    Args:
        registry: the kind of the part.
        cfg: as for `Registry.build`; arguments that a backbone tells may be left out.
        backbone: what tells them.
        *parts: what comes between, in order; the last of them with ``num_features`` tells instead.

    Raises:
        SchemaError: the configuration does not fit.
        LookupFailure: a name cannot be resolved.
    """
    if not isinstance(cfg, (str, Mapping)):
        return cfg
    config = component_config(cfg, {})
    checker = Checker(registry.family, live_signature, config, beside_backbone=True)
    checker.component(registry.kind, config)
    raise_issues(checker.issues, checker.cause)
    return _construct(registry.kind, config, (), registry.family, Parts.built(backbone, *parts))


def component_config(cfg: str | Mapping[str, Any], overrides: Mapping[str, Any]) -> Config:
    """Returns a name or mapping as a configuration, with top-level arguments replaced."""
    from essmc_core.config import Config

    config = Config.from_mapping({"type": cfg} if isinstance(cfg, str) else cfg)
    if not overrides:
        return config
    return Config.from_mapping({**{key: config[key] for key in config if key not in overrides}, **overrides})


def build_config(kind: str, config: Config, *, prefix: str = "", registries: Registries = DEFAULT) -> Any:
    """Checks a configuration against the signatures of all its components, then builds it.

    Args:
        kind: plural name of the registry.
        config: a mapping with ``type``.
        prefix: dotted path of ``config`` in the user's file, for messages.
        registries: where components are looked up.

    Raises:
        SchemaError: there are mistakes; all of them are listed.
        LookupFailure: the only mistake is a name that cannot be resolved.
    """
    check_config(kind, config, live_signature, prefix=prefix, registries=registries)
    return construct(kind, config, prefix=prefix, registries=registries)


def check_config(
    kind: str,
    config: Config,
    read: Callable[[Component], Signature],
    *,
    prefix: str = "",
    registries: Registries = DEFAULT,
) -> list[tuple[str, Component]]:
    """Returns every component a configuration names, with its dotted path, once all of it was found to fit.

    Args:
        kind: plural name of the registry.
        config: a mapping with ``type``.
        read: :func:`live_signature`, or :func:`read_signature` to import nothing.
        prefix: dotted path of ``config`` in the user's file.
        registries: where components are looked up.

    Raises:
        SchemaError: there are mistakes; all of them are listed.
        LookupFailure: the only mistake is a name that cannot be resolved.
    """
    checker = Checker(registries, read, config, prefix)
    checker.component(kind, config)
    raise_issues(checker.issues, checker.cause)
    root = (prefix,) if prefix else ()
    return [(".".join(map(str, (*root, *path))), component) for path, component in checker.found]


def construct(kind: str, config: Config, *, prefix: str = "", registries: Registries = DEFAULT) -> Any:
    """Builds a configuration that was checked."""
    return _construct(kind, config, (prefix,) if prefix else (), registries)


def raise_issues(issues: list[Issue], cause: EssmcError | None) -> None:
    """Raises what a check found, if anything: a lone look-up failure as itself, the rest as one error."""
    if not issues:
        return
    if len(issues) == 1 and cause is not None:
        cause.where = cause.where or issues[0].where
        raise cause
    raise SchemaError(issues) from cause


def live_signature(component: Component) -> Signature:
    """Returns the signature of the imported class or function, docs left out."""
    return read_live(component.load()).without(component.bound)


def _construct(
    kind: str, value: Any, path: tuple[str | int, ...], registries: Registries, beside: Parts | None = None
) -> Any:
    if not isinstance(value, (str, Mapping)):
        return value
    config = {"type": value} if isinstance(value, str) else value
    component = registries[kind].component(config["type"])
    target = component.load()
    signature = read_live(target)
    loads_pretrained = "pretrain" in config and signature.parameter("pretrain") is None
    left_out = {"type", *component.retired, *(["pretrain"] if loads_pretrained else [])}
    written = {key: value for key, value in config.items() if key not in left_out}
    types = {p.name: evaluate(p.annotation, registries) for p in signature.parameters}
    required = {parameter.name for parameter in signature.parameters if parameter.required}
    arguments = {**component.bound, **derived_arguments(component, types, config, path, beside, required)}
    parts = Parts(types) if takes_backbone(types) else beside
    for name in building_order(written, types):
        arguments[name] = _argument(types.get(name, Any), written[name], (*path, name), registries, parts)
        if parts is not None and parts is not beside:
            parts.take(name, arguments[name], written[name])
    try:
        built = target(**arguments)
        mark_built(built, component)
        if loads_pretrained and config["pretrain"] is not None:
            _load_into(built, config["pretrain"])
    except Exception as error:
        _note(error, component, config, path)
        raise
    return built


def _argument(
    annotation: Any, value: Any, path: tuple[str | int, ...], registries: Registries, beside: Parts | None
) -> Any:
    """Builds the components inside an argument and turns the rest into plain Python data."""
    if not has_nested(annotation):
        return plain_data(value)
    kind, inner = component_kind(annotation), component_item(annotation)
    if inner is not None and isinstance(value, (list, tuple)):
        return [_argument(inner, item, (*path, index), registries, beside) for index, item in enumerate(value)]
    if inner is not None and isinstance(value, Mapping) and (kind is None or "type" not in value):
        return {key: _argument(inner, item, (*path, key), registries, beside) for key, item in value.items()}
    return value if kind is None else _construct(kind, value, path, registries, beside)


def _load_into(module: Any, source: Any) -> None:
    from essmc_core.weights import load_pretrained

    load_pretrained(module, plain_data(source))


def _note(error: Exception, component: Component, config: Any, path: tuple[str | int, ...]) -> None:
    """Adds where it happened to an exception of whatever type, once per level of nesting."""
    where = config.where() if hasattr(config, "where") else None
    dotted = ".".join(str(part) for part in path)
    note = f"while building {dotted + ': ' if dotted else ''}{component.qualified}" + (f" at {where}" if where else "")
    add_note(error, note)

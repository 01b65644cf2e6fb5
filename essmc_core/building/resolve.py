"""Resolves a configuration: looks up every component, checks every argument, collects every mistake with its place.

The resulting parts hold everything that construction needs, so nothing is looked up or evaluated a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from essmc_core.building.beside import arguments_from_beside
from essmc_core.building.handed_over import is_configuration, subject_of
from essmc_core.building.messages import missing_argument, retired_argument, unknown_argument
from essmc_core.building.mistakes import Mistakes
from essmc_core.building.part import PRETRAIN, Part
from essmc_core.building.values import misfit, shown
from essmc_core.contract.annotations import Configured
from essmc_core.contract.checking import Path
from essmc_core.errors import EssmcError, LookupFailure
from essmc_core.foundation.names import did_you_mean
from essmc_core.foundation.plain_data import plain_data
from essmc_core.registry.component import Component
from essmc_core.registry.registry import Family
from essmc_core.registry.targets import import_target
from essmc_core.signatures.nesting import component_kind, holds_components, item_type
from essmc_core.signatures.signature import Signature
from essmc_core.signatures.types import (
    configured,
    derived_attribute,
    evaluate,
    fields,
    has_configured,
    has_nested,
    nested_kind,
    options,
)

if TYPE_CHECKING:
    from essmc_core.config import Config
    from essmc_core.location import Location

ReadSignature = Callable[[Component], Signature]
_ORDER = {"backbones": 0, "necks": 1}


class Resolver:
    """Resolves one tree and collects its mistakes; it is the `Checker` that is passed to checks of packs.

    Args:
        registries: where components are looked up.
        read: returns a component's signature: from its source for tools, from the live class for building.
        root: the mapping that positions are looked up in, if it came from a file.
        prefix: dotted path of the root within the user's file.
        beside_backbone: whether the model has a backbone, which then fills some arguments.
    """

    def __init__(
        self,
        registries: Family,
        read: ReadSignature,
        root: Config | None = None,
        prefix: str = "",
        *,
        beside_backbone: bool = False,
    ) -> None:
        self.registries = registries
        self.mistakes = Mistakes(root, prefix)
        self._read = read
        self._prefix: Path = (prefix,) if prefix else ()
        self._beside_backbone = beside_backbone
        self._children: list[Part] = []

    def component(
        self,
        kind: str,
        value: Any,
        path: Path = (),
        *,
        supplied: Collection[str] = (),
        given: Configured | None = None,
        where: Location | None = None,
    ) -> Any:
        """Resolves a value that represents a component of a kind.

        A name, or a mapping with ``type``, is looked up and its arguments are resolved; any other value counts as
        built.

        Args:
            kind: plural name of the registry.
            value: the component, or its configuration.
            path: where it is in the tree.
            supplied: arguments that the caller supplies at construction, so that they need not be written.
            given: likewise, for a configuration that another component builds.
            where: where it is written, if its mapping has no position.

        Returns:
            A `Part`; the value itself if it is built; None if it is wrong.
        """
        if isinstance(value, str):
            name, arguments = value, {}
        elif isinstance(value, Mapping):
            found = self._name_of(kind, value, path)
            if found is None:
                return None
            name, arguments = found, {key: item for key, item in value.items() if key != "type"}
        elif value is None or isinstance(value, (bool, int, float, tuple, list)):
            singular = self.registries[kind].singular
            wanted = f"expected a {singular} (a name, or a mapping with `type`)"
            self.mistake(path, f"{wanted}, got {shown(value)}")
            return None
        else:
            return value
        component = self._look_up(kind, name, (*path, "type") if isinstance(value, Mapping) else path)
        if component is None:
            return None
        part = self._part(component, arguments, value, path, supplied, given)
        part = part if where is None else replace(part, where=where)
        self._children.append(part)
        return part

    def mistake(self, path: Path, message: str, hint: str = "", key: bool = False) -> None:
        """Records a mistake; see `essmc_core.contract.checking.Checker`."""
        self.mistakes.add(path, message, hint, key)

    def find(self, kind: str, name: str) -> Component | None:
        """Returns the component of a kind that a name resolves to, None if there is none."""
        return self.registries[kind].find(name)

    def signature(self, kind: str, value: Any) -> Signature | None:
        """Returns the signature of a configured component, None if it is built already or unknown."""
        name = value.get("type") if isinstance(value, Mapping) else value
        record = self.find(kind, name) if isinstance(name, str) else None
        return None if record is None else self._read(record)

    def _name_of(self, kind: str, value: Mapping[str, Any], path: Path) -> str | None:
        name = value.get("type")
        if isinstance(name, str):
            return name
        singular = self.registries[kind].singular
        if "type" not in value:
            self.mistake(path, f"a {singular} needs a `type`", f"`essmc list {kind}` shows the names")
        else:
            self.mistake((*path, "type"), f"`type` must be the name of a {singular}, got {shown(name)}")
        return None

    def _look_up(self, kind: str, name: str, path: Path) -> Component | None:
        try:
            return self.registries[kind].component(name)
        except (LookupFailure, ImportError) as error:
            self.mistakes.cause = self.mistakes.cause or (error if isinstance(error, EssmcError) else None)
            self.mistake(path, getattr(error, "message", str(error)), getattr(error, "hint", ""))
            return None

    def _part(
        self,
        component: Component,
        written: Mapping[str, Any],
        value: Any,
        path: Path,
        supplied: Collection[str],
        given: Configured | None,
    ) -> Part:
        whole = self._read(component)
        signature = _without(whole, supplied)
        types = {parameter.name: evaluate(parameter.annotation, self.registries) for parameter in signature.parameters}
        kinds = {name: kind for name, expected in types.items() if (kind := component_kind(expected))}
        subject = None if given is None else subject_of(signature, given)
        has_backbone = "backbones" in kinds.values()
        before, siblings, beside = len(self.mistakes), self._children, self._beside_backbone
        # While a backbone is constructed, the parts inside it cannot take numbers from it.
        self._children = []
        self._beside_backbone = has_backbone or (beside and component.kind != "backbones")
        arguments = {
            name: self._argument(component, signature, types, name, value, (*path, name), given, subject)
            for name, value in written.items()
        }
        self._require(component, signature, types, written, path, subject, beside)
        for name in sorted(supplied):
            if name not in component.retired and not whole.takes_any and whole.parameter(name) is None:
                self.mistake((*path, name), *unknown_argument(component, whole, name), key=True)
        children, self._children, self._beside_backbone = self._children, siblings, beside
        if component.check:
            self._call_check(component, written, supplied, path, before)
        to_constructor = signature.parameter(PRETRAIN) is not None or PRETRAIN in component.bound
        own_weights = PRETRAIN in written and not to_constructor
        retired = tuple(name for name in written if name in component.retired)
        handed_over = [name for name in arguments if name not in retired and not (own_weights and name == PRETRAIN)]
        return Part(
            component,
            signature,
            (*self._prefix, *path),
            value.where() if hasattr(value, "where") else None,
            {name: arguments[name] for name in sorted(handed_over, key=lambda name: _rank(kinds.get(name)))},
            kinds=kinds,
            pretrain=arguments[PRETRAIN] if own_weights else None,
            from_beside=tuple(arguments_from_beside(signature, types, value)),
            has_backbone=has_backbone,
            retired=retired,
            children=tuple(children),
        )

    def _argument(
        self,
        component: Component,
        signature: Signature,
        types: Mapping[str, Any],
        name: str,
        value: Any,
        path: Path,
        given: Configured | None,
        subject: str | None,
    ) -> Any:
        """Resolves one argument that is written."""
        parameter = signature.parameter(name)
        if parameter is not None and name == subject:
            self.mistake(path, f"{component.name} is given its {name!r}", "leave it out", key=True)
        elif given is not None and given.subject and is_configuration(value):
            # A schedule, for example, may consist of schedules of the same optimizer.
            self._nested_in(given, value, path)
        elif parameter is not None:
            return self._value(types[name], parameter.annotation, value, path)
        elif name == PRETRAIN:
            self._weights(value, path)
        elif name in component.retired:
            if told := retired_argument(component, name, value):
                self.mistake(path, *told)
        elif name in component.bound:
            self.mistake(path, f"{component.qualified} fixes {name}={component.bound[name]!r}", key=True)
        elif not signature.takes_any:
            self.mistake(path, *unknown_argument(component, signature, name), key=True)
        return plain_data(value)

    def _require(
        self,
        component: Component,
        signature: Signature,
        types: Mapping[str, Any],
        written: Mapping[str, Any],
        path: Path,
        subject: str | None,
        beside: bool,
    ) -> None:
        for parameter in signature.parameters:
            if not parameter.required or parameter.name in written or parameter.name == subject:
                continue
            if not (beside and derived_attribute(types[parameter.name])):
                self.mistake(path, missing_argument(component, parameter))

    def _call_check(
        self, component: Component, written: Mapping[str, Any], supplied: Collection[str], path: Path, since: int
    ) -> None:
        """Calls a pack's check, with placeholder objects for arguments that do not fit or are supplied later."""
        unknown = {*self.mistakes.broken_arguments(path, since), *supplied}
        sound = {name: object() if name in unknown else written[name] for name in (*written, *supplied)}
        check = import_target(component.check, f"the check of {component.qualified}", component.brought_by)
        check(self, path, sound, component)

    def _weights(self, value: Any, path: Path) -> None:
        """Checks a reference to weights: a path, a URI, or a mapping with either and with options."""
        from essmc_core.weights.options import weights_issues

        if isinstance(value, Mapping):
            for issue in weights_issues(plain_data(value)):
                inside = issue.key in value
                self.mistake((*path, issue.key) if inside else path, issue.message, issue.hint, key=inside)
        elif isinstance(value, (bool, int, float, list, tuple)):
            expected = "a path, a URI, or a mapping with `uri`"
            self.mistake(path, f"`{PRETRAIN}` is {expected}, got {shown(value)}")

    def _value(self, expected: Any, annotation: Any, value: Any, path: Path) -> Any:
        """Resolves a value against the type of its argument, nested components included."""
        if has_nested(expected):
            return self._nested(expected, value, path)
        if has_configured(expected):
            self._nested(expected, value, path)
        elif expected is not Any and (wrong := misfit(expected, annotation, value, path)):
            self.mistake((*path, *wrong.path), wrong.message, wrong.hint, wrong.key)
        return plain_data(value)

    def _nested(self, expected: Any, value: Any, path: Path) -> Any:
        members = options(expected)
        if value is None and any(member is None or member is type(None) for member in members):
            return None
        record = next(filter(None, map(fields, members)), None)
        if record and isinstance(value, Mapping):
            return self._record(record, value, path)
        # A sequence of components is written as a YAML sequence, one component as a name or a mapping with `type`.
        marks = [(nested_kind(member), configured(member)) for member in members]
        kinds = [kind or (mark.kind if mark else "") for kind, mark in marks if kind or mark]
        containers = [member for member in members if holds_components(member)]
        if containers and isinstance(value, (list, tuple)):
            inner = item_type(containers[0])
            return [self._nested(inner, item, (*path, index)) for index, item in enumerate(value)]
        if containers and isinstance(value, Mapping) and (not kinds or "type" not in value):
            inner = item_type(containers[0])
            return {key: self._nested(inner, item, (*path, key)) for key, item in value.items()}
        if kinds:
            return self.component(kinds[0], value, path, given=next((mark for _, mark in marks if mark), None))
        wanted = f"mapping with {' and '.join(record)}" if record else "sequence or mapping of components"
        self.mistake(path, f"expected a {wanted}, got {shown(value)}")
        return None

    def _record(self, record: Mapping[str, Any], value: Mapping[str, Any], path: Path) -> Any:
        """Resolves a mapping with a fixed set of keys, each with its own type."""
        for name, item in value.items():
            if name in record:
                self._value(evaluate(record[name], self.registries), record[name], item, (*path, name))
            else:
                suggestion = did_you_mean(name, list(record)) or f"it takes {', '.join(record)}"
                self.mistake((*path, name), f"there is no {name!r} here", suggestion, key=True)
        for name in (name for name in record if name not in value):
            self.mistake(path, f"{name!r} is missing")
        return plain_data(value)

    def _nested_in(self, given: Configured, value: Any, path: Path) -> None:
        if isinstance(value, Mapping):
            self.component(given.kind, value, path, given=given)
            return
        for index, item in enumerate(value):
            self.component(given.kind, item, (*path, index), given=given)


def _without(signature: Signature, supplied: Collection[str]) -> Signature:
    return signature.without(dict.fromkeys(supplied)) if supplied else signature


def _rank(kind: str | None) -> int:
    return _ORDER.get(kind or "", len(_ORDER))

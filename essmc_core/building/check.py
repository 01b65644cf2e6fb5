"""The check of a whole configuration tree before anything is built: every mistake at once, with its place."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from essmc_core.contract.annotations import Configured
from essmc_core.errors import EssmcError, Issue, LookupFailure
from essmc_core.foundation.names import did_you_mean
from essmc_core.foundation.plain_data import plain_data
from essmc_core.registry.component import Component
from essmc_core.registry.kinds import Registries
from essmc_core.registry.targets import import_target
from essmc_core.signatures.nesting import component_kind
from essmc_core.signatures.signature import Parameter, Signature
from essmc_core.signatures.types import (
    configured,
    derived_attribute,
    evaluate,
    fields,
    has_configured,
    has_nested,
    nested_kind,
    options,
    without_limits,
)

if TYPE_CHECKING:
    from essmc_core.config import Config
    from essmc_core.location import Location

PRETRAIN = "pretrain"
"""Key of any component's mapping that names weights to load, unless its constructor takes it itself."""

Path = tuple["str | int", ...]
_LIMITS = {
    "greater_than_equal": "at least {}",
    "greater_than": "above {}",
    "less_than_equal": "at most {}",
    "less_than": "below {}",
}
"""What pydantic calls a number outside its limits, in words."""


class Checker:
    """Checks one tree and collects what is wrong.

    Args:
        registries: where components are looked up.
        read: returns a component's signature; statically for tools, from the live class for building.
        root: the mapping that positions are looked up in, if it came from a file.
        prefix: dotted path of the root within the user's file, for messages.
        beside_backbone: whether what is checked stands beside a backbone, which then fills some arguments.

    Attributes:
        issues: what is wrong, in the order of the file.
        cause: the error of the first look-up that failed.
        found: every component that was resolved, with its path.
    """

    def __init__(
        self,
        registries: Registries,
        read: Callable[[Component], Signature],
        root: Config | None = None,
        prefix: str = "",
        *,
        beside_backbone: bool = False,
    ) -> None:
        self.registries = registries
        self.issues: list[Issue] = []
        self._places: list[Path] = []
        self.cause: EssmcError | None = None
        self.found: list[tuple[Path, Component]] = []
        self._read = read
        self._root = root
        self._beside_backbone = beside_backbone
        self._prefix = prefix

    def component(self, kind: str, value: Any, path: Path = (), given: Configured | None = None) -> None:
        """Checks that a value can be built as a component of a kind.

        A name, or a mapping with ``type``, is looked up and its arguments are checked; anything else counts as built.

        Args:
            kind: plural name of the registry.
            value: the component, or its configuration.
            path: where it is in the tree.
            given: the argument that whoever builds it gives, if it is built by another component.
        """
        if isinstance(value, str):
            name, arguments = value, {}
        elif isinstance(value, Mapping):
            found = self._name_of(kind, value, path)
            if found is None:
                return
            name, arguments = found, {key: item for key, item in value.items() if key != "type"}
        elif value is None or isinstance(value, (bool, int, float, tuple, list)):
            self.mistake(path, f"expected a {self.registries[kind].singular} (a name, or a mapping with `type`), "
                            f"got {_shown(value)}")  # fmt: skip
            return
        else:
            return
        at = (*path, "type") if isinstance(value, Mapping) else path
        component = self._look_up(kind, name, at)
        if component is not None:
            self.found.append((path, component))
            self._arguments(component, arguments, path, given)

    def mistake(self, path: Path, message: str, hint: str = "", key: bool = False) -> None:
        """Notes a mistake.

        Args:
            path: where it is in the tree.
            message: what is wrong.
            hint: what to do.
            key: point at the key instead of its value.
        """
        dotted = ".".join(str(part) for part in path)
        shown = f"{self._prefix}.{dotted}".strip(".") or "(top)"
        self.issues.append(Issue(shown, message, self._where(path, key), hint))
        self._places.append(path)

    def _name_of(self, kind: str, value: Mapping[str, Any], path: Path) -> str | None:
        name = value.get("type")
        if isinstance(name, str):
            return name
        singular = self.registries[kind].singular
        if "type" not in value:
            self.mistake(path, f"a {singular} needs a `type`", f"`essmc list {kind}` shows the names")
        else:
            self.mistake((*path, "type"), f"`type` must be the name of a {singular}, got {_shown(name)}")
        return None

    def _look_up(self, kind: str, name: str, path: Path) -> Component | None:
        try:
            return self.registries[kind].component(name)
        except (LookupFailure, ImportError) as error:
            self.cause = self.cause or (error if isinstance(error, EssmcError) else None)
            self.mistake(path, getattr(error, "message", str(error)), getattr(error, "hint", ""))
            return None

    def _arguments(
        self, component: Component, arguments: Mapping[str, Any], path: Path, given: Configured | None
    ) -> None:
        signature = self._read(component)
        subject = None if given is None else _subject(signature, given)
        filled = self._beside_backbone
        self._beside_backbone = any(self._takes_backbone(parameter) for parameter in signature.parameters)
        before = len(self._places)
        for name, value in arguments.items():
            parameter = signature.parameter(name)
            if parameter is not None and parameter.name == subject:
                self.mistake((*path, name), f"{component.name} is given its {name!r}", "leave it out", key=True)
            elif given is not None and given.subject and _is_configuration(value):
                # Schedules, for one, are made of schedules of the same optimizer.
                self._nested_in(given, value, (*path, name))
            elif parameter is not None:
                self.value(parameter.annotation, value, (*path, name))
            elif name == PRETRAIN:
                self._weights(value, (*path, name))
            elif name in component.retired:
                self._retired_argument(component, name, value, path)
            elif name in component.bound:
                self.mistake((*path, name), f"{component.qualified} fixes {name}={component.bound[name]!r}", key=True)
            elif not signature.takes_any:
                self._unknown_argument(component, signature, name, path)
        for parameter in signature.parameters:
            if parameter.required and parameter.name not in arguments and parameter.name != subject:
                derived = derived_attribute(evaluate(parameter.annotation, self.registries))
                if not (filled and derived):
                    self._missing_argument(component, parameter, path)
        self._beside_backbone = filled
        if component.check:
            import_target(component.check, f"the check of {component.qualified}", component.pack)(
                self, path, self._sound(arguments, path, before), component
            )

    def _sound(self, arguments: Mapping[str, Any], path: Path, since: int) -> Mapping[str, Any]:
        """Puts objects in the place of arguments that do not fit; what is wrong inside nested components counts not."""
        found = [place[len(path) :] for place in self._places[since:] if place[: len(path)] == path]
        broken = {place[0] for place in found if len(place) == 1 or (len(place) == 2 and isinstance(place[1], int))}
        return {name: object() if name in broken else value for name, value in arguments.items()}

    def signature(self, kind: str, value: Any) -> Signature | None:
        """Returns the signature of a configured component, None where it is built already or unknown."""
        name = value.get("type") if isinstance(value, Mapping) else value
        record = self.registries[kind].find(name) if isinstance(name, str) else None
        return None if record is None else self._read(record)

    def _weights(self, value: Any, path: Path) -> None:
        """Checks what names weights to load: a path, a URI, or a mapping with one and with options."""
        from essmc_core.weights.options import weights_issues

        if isinstance(value, Mapping):
            for issue in weights_issues(plain_data(value)):
                inside = issue.key in value
                self.mistake((*path, issue.key) if inside else path, issue.message, issue.hint, key=inside)
        elif isinstance(value, (bool, int, float, list, tuple)):
            expected = "a path, a URI, or a mapping with `uri`"
            self.mistake(path, f"`{PRETRAIN}` is {expected}, got {_shown(value)}")

    def _takes_backbone(self, parameter: Parameter) -> bool:
        return component_kind(evaluate(parameter.annotation, self.registries)) == "backbones"

    def _unknown_argument(self, component: Component, signature: Signature, name: str, path: Path) -> None:
        known = [parameter.name for parameter in signature.parameters]
        listed = f"it takes {', '.join(known)}" if known else "it takes no arguments"
        suggestion = did_you_mean(name, known)
        self.mistake((*path, name), f"{component.name} has no argument {name!r}", suggestion or listed, key=True)

    def _retired_argument(self, component: Component, name: str, value: Any, path: Path) -> None:
        accepted, hint = component.retired[name]
        if value != accepted:
            message = f"{component.name} takes {name} no more, other than as {accepted!r}; got {_shown(value)}"
            self.mistake((*path, name), message, hint)

    def _missing_argument(self, component: Component, parameter: Parameter, path: Path) -> None:
        annotation = f" ({parameter.annotation_text})" if parameter.annotation != "" else ""
        self.mistake(path, f"{component.name} needs the argument {parameter.name!r}{annotation}")

    def value(self, annotation: Any, value: Any, path: Path) -> None:
        """Checks a value against an annotation, nested components included."""
        expected = evaluate(annotation, self.registries)
        if has_nested(expected) or has_configured(expected):
            self._nested(expected, value, path)
        elif expected is not Any:
            self._plain(expected, annotation, value, path)

    def _nested(self, expected: Any, value: Any, path: Path) -> None:
        members = options(expected)
        if value is None and any(member is None or member is type(None) for member in members):
            return
        record = next(filter(None, map(fields, members)), None)
        if record and isinstance(value, Mapping):
            self._record(record, value, path)
            return
        # A sequence of components is written as a YAML sequence, one component as a name or a mapping with `type`.
        marks = [(nested_kind(member), configured(member)) for member in members]
        kinds = [kind or (mark.kind if mark else "") for kind, mark in marks if kind or mark]
        containers = [member for member in members if _holds_components(member)]
        if containers and isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                self._nested(item_type(containers[0]), item, (*path, index))
        elif containers and isinstance(value, Mapping) and (not kinds or "type" not in value):
            for key, item in value.items():
                self._nested(item_type(containers[0]), item, (*path, key))
        elif kinds:
            self.component(kinds[0], value, path, next((mark for _, mark in marks if mark), None))
        else:
            wanted = f"mapping with {' and '.join(record)}" if record else "sequence or mapping of components"
            self.mistake(path, f"expected a {wanted}, got {_shown(value)}")

    def _record(self, record: Mapping[str, Any], value: Mapping[str, Any], path: Path) -> None:
        """Checks a mapping whose keys and what they hold are fixed."""
        for name, item in value.items():
            if name in record:
                self.value(record[name], item, (*path, name))
            else:
                suggestion = did_you_mean(name, list(record)) or f"it takes {', '.join(record)}"
                self.mistake((*path, name), f"there is no {name!r} here", suggestion, key=True)
        for name in (name for name in record if name not in value):
            self.mistake(path, f"{name!r} is missing")

    def _nested_in(self, given: Configured, value: Any, path: Path) -> None:
        if isinstance(value, Mapping):
            self.component(given.kind, value, path, given)
            return
        for index, item in enumerate(value):
            self.component(given.kind, item, (*path, index), given)

    def _plain(self, expected: Any, annotation: Any, value: Any, path: Path) -> None:
        import pydantic

        try:
            _adapter(expected).validate_python(plain_data(value))
        except pydantic.ValidationError as error:
            text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
            text = "int" if derived_attribute(expected) else without_limits(text)
            errors = sorted(error.errors(), key=lambda item: -len(item["loc"]))
            for item in errors:
                if self._limits(item, value, path, str(annotation)) or self._unknown_key(item, value, path):
                    return
            first = errors[0]
            inner = tuple(part for part in first["loc"] if _is_inside(value, part))
            shown = _shown(first["input"]) if inner else _shown(value)
            self.mistake((*path, *inner), f"expected {text}, got {shown}")

    def _limits(self, error: Any, value: Any, path: Path, annotation: str) -> bool:
        """Notes a number outside its limits; tells whether the error is of that kind."""
        words = _LIMITS.get(error["type"])
        if words is None:
            return False
        inner = tuple(part for part in error["loc"] if _is_inside(value, part))
        name = next((part for part in reversed((*path, *inner)) if isinstance(part, str)), "the number")
        words = words.format(_number(next(iter(error["ctx"].values()))))
        words = "a chance in [0, 1]" if "Probability" in annotation else words
        self.mistake((*path, *inner), f"{name} must be {words}, got {error['input']!r}")
        return True

    def _unknown_key(self, error: Any, value: Any, path: Path) -> bool:
        """Notes a key that is not among those of its mapping; tells whether the error is of that kind."""
        if error["type"] != "literal_error" or error["loc"][-1:] != ("[key]",):
            return False
        inner = tuple(part for part in error["loc"][:-1] if _is_inside(value, part))
        known = re.findall(r"'([^']*)'", error["ctx"]["expected"])
        suggestion = did_you_mean(str(error["input"]), known) or f"it takes {', '.join(known)}"
        self.mistake((*path, *inner), f"there is no {error['input']!r} here", suggestion, key=True)
        return True

    def _where(self, path: Path, key: bool) -> Location | None:
        if self._root is None:
            return None
        for length in range(len(path), -1, -1):
            part = path[:length]
            found = self._root.where_key(*part) if key and length == len(path) and part else None
            found = found or self._root.where(*part)
            if found is not None:
                return found
        return None


def _number(limit: float) -> str:
    return f"{limit:g}"


def check_component(
    kind: str,
    config: Config,
    registries: Registries,
    read: Callable[[Component], Signature],
    prefix: str = "",
) -> list[Issue]:
    """Returns every mistake of a configuration, in the order of the file; empty when it can be built."""
    checker = Checker(registries, read, config, prefix)
    checker.component(kind, config)
    return checker.issues


@functools.lru_cache(maxsize=1024)
def _adapter(expected: Any) -> Any:
    import pydantic

    return pydantic.TypeAdapter(expected, config=pydantic.ConfigDict(strict=True))


def item_type(container: Any) -> Any:
    """Returns what a sequence or mapping of components holds."""
    if get_origin(container) is Annotated:
        return item_type(get_args(container)[0])
    return next(argument for argument in get_args(container) if has_nested(argument) or has_configured(argument))


def _holds_components(member: Any) -> bool:
    """Tells a sequence or mapping of components from a component."""
    is_one = nested_kind(member) is not None or configured(member) is not None or bool(fields(member))
    return not is_one and (has_nested(member) or has_configured(member))


def _subject(signature: Signature, given: Configured) -> str | None:
    if given.subject is None:
        return None
    names = [parameter.name for parameter in signature.parameters]
    return given.subject if given.subject in names or not names else names[0]


def _is_configuration(value: Any) -> bool:
    """Tells the configuration of a component, or a sequence of such, from other values."""
    if isinstance(value, Mapping):
        return "type" in value
    return (
        isinstance(value, (list, tuple))
        and bool(value)
        and all(isinstance(item, Mapping) and "type" in item for item in value)
    )


def _is_inside(value: Any, part: Any) -> bool:
    """Tells a real index or key from the labels that pydantic adds for members of a union."""
    if isinstance(part, int):
        return isinstance(value, (list, tuple))
    return isinstance(value, Mapping) and part in value


def _shown(value: Any) -> str:
    text = repr(plain_data(value))
    if len(text) > 60:
        text = text[:57] + "..."
    names = {type(None): "nothing", tuple: "sequence", list: "sequence"}
    if isinstance(value, Mapping):
        return f"the mapping {text}"
    return text if value is None else f"{text} ({names.get(type(value), type(value).__name__)})"

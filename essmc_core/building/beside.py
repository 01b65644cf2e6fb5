"""Numbers that necks and heads take from the backbone of their model, so that configurations need not repeat them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from essmc_core.building.part import NOT_WRITTEN, FromBeside, Part
from essmc_core.errors import Issue, SchemaError
from essmc_core.signatures.signature import Signature
from essmc_core.signatures.types import derived_attribute

if TYPE_CHECKING:
    from essmc_core.location import Location


class Beside:
    """The components of one model that have been constructed so far.

    Attributes:
        source: the component whose features are the next input: the backbone, then the neck if it has
            ``num_features``.
        where: where ``source`` is written.
    """

    def __init__(self) -> None:
        self.source: Any = None
        self.where: Location | None = None

    @classmethod
    def of(cls, backbone: object, *others: object) -> Beside:
        """Returns the record of components that are built already, the backbone first."""
        made = cls()
        made.source = next((other for other in reversed(others) if hasattr(other, "num_features")), backbone)
        return made

    def take(self, kind: str | None, constructed: Any, written: Any) -> None:
        """Records a component once it is constructed.

        Args:
            kind: plural name of its registry.
            constructed: the component.
            written: its part, if it was constructed from one.
        """
        if kind == "backbones" or (kind == "necks" and hasattr(constructed, "num_features")):
            self.source = constructed
            self.where = written.where if isinstance(written, Part) else None


def arguments_from_beside(signature: Signature, types: Mapping[str, Any], value: Any) -> list[FromBeside]:
    """Returns the arguments of a component that the model's backbone fills, or must agree with.

    Args:
        signature: of the component.
        types: the types of its arguments.
        value: its configuration.
    """
    written = value if isinstance(value, Mapping) else {}
    found = []
    for parameter in signature.parameters:
        name, attribute = parameter.name, derived_attribute(types[parameter.name])
        if attribute is not None:
            where = value.where(name) if hasattr(value, "where") and name in written else None
            number = written.get(name, NOT_WRITTEN)
            found.append(FromBeside(name, attribute, parameter.required, number, where))
    return found


def taken_from_beside(part: Part, beside: Beside | None) -> dict[str, Any]:
    """Returns the arguments of a part that the model's backbone fills.

    Raises:
        SchemaError: an argument is written and the backbone has another number, or it is required and the backbone
            does not state it; both places are named.
    """
    if beside is None or beside.source is None:
        return {}
    filled: dict[str, Any] = {}
    for argument in part.from_beside:
        actual = getattr(beside.source, argument.attribute, None)
        if argument.written is not NOT_WRITTEN:
            _require_equal(part, argument, actual, beside)
        # 0 means that the number does not apply, e.g. the rank of features that are vectors already.
        elif actual:
            filled[argument.name] = actual
        elif actual is None and argument.required:
            name, attribute = argument.name, argument.attribute
            message = f"{part.component.name} needs {name}, and {type(beside.source).__name__} has no attribute "
            hint = f"write {name}, or give the backbone {attribute}"
            path = part.dotted or part.component.name
            raise SchemaError([Issue(path, f"{message}{attribute}", part.where, hint)])
    return filled


def _require_equal(part: Part, argument: FromBeside, actual: Any, beside: Beside) -> None:
    if not actual or argument.written == actual:
        return
    name = argument.name
    there = f" at {beside.where}" if beside.where else ""
    has = f"{type(beside.source).__name__}{there} has {argument.attribute}={actual}"
    message = f"{part.component.name} has {name}={argument.written!r}, and {has}"
    path = ".".join(map(str, (*part.path, name)))
    raise SchemaError([Issue(path, message, argument.where, f"leave {name} out to take it from the backbone")])

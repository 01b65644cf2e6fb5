"""Messages about arguments that a component does not have, no longer takes, or requires."""

from __future__ import annotations

from typing import Any

from essmc_core.building.values import shown
from essmc_core.foundation.names import did_you_mean
from essmc_core.registry.component import Component
from essmc_core.signatures.signature import Parameter, Signature


def unknown_argument(component: Component, signature: Signature, name: str) -> tuple[str, str]:
    """Returns message and hint for an argument that a component does not have."""
    known = [parameter.name for parameter in signature.parameters]
    listed = f"it takes {', '.join(known)}" if known else "it takes no arguments"
    return f"{component.name} has no argument {name!r}", did_you_mean(name, known) or listed


def retired_argument(component: Component, name: str, value: Any) -> tuple[str, str] | None:
    """Returns message and hint for a removed argument, None if its value may still be stated."""
    accepted, hint = component.retired[name]
    if value == accepted:
        return None
    return f"{component.name} takes {name} no more, other than as {accepted!r}; got {shown(value)}", hint


def missing_argument(component: Component, parameter: Parameter) -> str:
    """Returns the message for a required argument that is not written."""
    annotation = f" ({parameter.annotation_text})" if parameter.annotation != "" else ""
    return f"{component.name} needs the argument {parameter.name!r}{annotation}"

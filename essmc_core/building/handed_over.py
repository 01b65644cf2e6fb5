"""Configurations that are passed on unbuilt, such as an optimizer's, and the argument their builder supplies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from essmc_core.contract.annotations import Configured
from essmc_core.signatures.signature import Signature


def subject_of(signature: Signature, given: Configured) -> str | None:
    """Returns the argument that the builder of a component supplies, its first if none has the usual name."""
    if given.subject is None:
        return None
    names = [parameter.name for parameter in signature.parameters]
    return given.subject if given.subject in names or not names else names[0]


def is_configuration(value: Any) -> bool:
    """Returns whether a value is the configuration of a component, or a sequence of such."""
    if isinstance(value, Mapping):
        return "type" in value
    return (
        isinstance(value, (list, tuple))
        and bool(value)
        and all(isinstance(item, Mapping) and "type" in item for item in value)
    )

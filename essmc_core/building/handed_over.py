"""Configurations that are handed over unbuilt, such as an optimizer's: what whoever builds them gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from essmc_core.contract.annotations import Configured
from essmc_core.signatures.signature import Signature


def subject_of(signature: Signature, given: Configured) -> str | None:
    """Returns the argument that whoever builds a component gives it, its first where none has the usual name."""
    if given.subject is None:
        return None
    names = [parameter.name for parameter in signature.parameters]
    return given.subject if given.subject in names or not names else names[0]


def is_configuration(value: Any) -> bool:
    """Tells the configuration of a component, or a sequence of such, from other values."""
    if isinstance(value, Mapping):
        return "type" in value
    return (
        isinstance(value, (list, tuple))
        and bool(value)
        and all(isinstance(item, Mapping) and "type" in item for item in value)
    )

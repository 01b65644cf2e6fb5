"""The signature of a registered component: from its source, without importing it, or from the live object."""

from __future__ import annotations

from essmc_core.registry.component import Component
from essmc_core.signatures.live import document, read_live
from essmc_core.signatures.signature import Signature


def read_signature(component: Component) -> Signature:
    """Returns a component's signature with its docs, statically where its source can be found.

    Raises:
        ImportError: it cannot be read statically, and importing it fails.
    """
    from essmc_core.signatures.static import read_statically

    if isinstance(component.target, str):
        found = read_statically(component.target)
        if found is not None:
            return found.without(component.bound)
    return document(read_live(component.load()), component.load()).without(component.bound)


def live_signature(component: Component) -> Signature:
    """Returns the signature of the imported class or function, docs left out."""
    return read_live(component.load()).without(component.bound)

"""What torchvision's transforms take, read from its source, so that `essmc validate` need not import it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from essmc_core.foundation.names import did_you_mean
from essmc_core.signatures.static import names_in, read_statically

if TYPE_CHECKING:
    from essmc_core.contract.checking import Checker, Path
    from essmc_core.registry.component import Component

MODULE = "torchvision.transforms.v2"


def check_transform(checker: Checker, path: Path, arguments: Mapping[str, Any], component: Component) -> None:
    """Checks that torchvision has the transform that is named, and that it takes the arguments."""
    name, given = arguments.get("name"), arguments.get("arguments") or {}
    known = [found for found in names_in(MODULE) if found[:1].isupper()]
    if not isinstance(name, str) or not known:
        return
    if name not in known:
        checker.mistake((*path, "name"), f"torchvision has no transform {name!r}.", did_you_mean(name, known))
        return
    signature = read_statically(f"{MODULE}:{name}")
    if signature is None or not isinstance(given, Mapping) or not signature.parameters:
        return
    takes = [parameter.name for parameter in signature.parameters]
    for wrong in (key for key in given if key not in takes and not signature.takes_any):
        hint = did_you_mean(wrong, takes) or f"it takes {', '.join(takes)}"
        checker.mistake((*path, "arguments", wrong), f"torchvision's {name} has no argument {wrong!r}", hint, key=True)
    for needed in (parameter.name for parameter in signature.parameters if parameter.required):
        if needed not in given:
            place = (*path, "arguments") if "arguments" in arguments else path
            checker.mistake(place, f"torchvision's {name} needs the argument {needed!r}")

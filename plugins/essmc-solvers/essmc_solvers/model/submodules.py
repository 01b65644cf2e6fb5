"""Names of parameters, shortened to those of the largest submodules that consist of them."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn


def random_parts(module: nn.Module, loaded: set[str]) -> list[str]:
    """Returns the largest submodules of which nothing was loaded, and parameters of others.

    Args:
        module: the model.
        loaded: names of parameters that were.
    """
    names = [name for name, _ in module.named_parameters(remove_duplicate=False)]
    return _whole_groups(module, "", {name for name in names if name not in loaded}, names)


def loaded_parameters(module: nn.Module) -> tuple[list[str], set[str]]:
    """Returns where weights were loaded from, with their coverage, and the names of parameters that have them."""
    origins: list[str] = []
    loaded: set[str] = set()
    for prefix, part in module.named_modules():
        report = part.__dict__.get("load_report")
        if report is None:
            continue
        front = f"{prefix}." if prefix else ""
        origins.append(f"{report.source} (coverage {report.coverage:.1%}" + (f", of {prefix})" if prefix else ")"))
        absent = {*report.missing, *report.skipped, *report.new}
        loaded |= {f"{front}{name}" for name, _ in part.named_parameters(remove_duplicate=False) if name not in absent}
    return origins, loaded


def groups_of(module: nn.Module, names: Iterable[str]) -> list[str]:
    """Returns the largest submodules all of whose parameters are among some names, and the other names."""
    every = [name for name, _ in module.named_parameters(remove_duplicate=False)]
    return _whole_groups(module, "", set(names), every)


def _whole_groups(module: nn.Module, prefix: str, chosen: set[str], names: list[str]) -> list[str]:
    within = [name for name in names if not prefix or name.startswith(f"{prefix}.")]
    if not within or not any(name in chosen for name in within):
        return []
    if prefix and all(name in chosen for name in within):
        return [prefix]
    front = f"{prefix}." if prefix else ""
    groups: list[str] = []
    for name, child in module.named_children():
        groups += _whole_groups(child, f"{front}{name}", chosen, within)
    own = [f"{front}{name}" for name, _ in module.named_parameters(recurse=False)]
    return groups + [name for name in own if name in chosen]

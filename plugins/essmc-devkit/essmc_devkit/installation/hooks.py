"""Checks that the functions which look like hooks are called as hooks."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from essmc_core.discovery.hooks import PackHooks
from essmc_core.discovery.remarks import HOOKS
from essmc_devkit.installation.check import check
from essmc_devkit.installation.observation import Observation
from essmc_devkit.installation.pack_under_test import PackUnderTest
from essmc_devkit.installation.source import HookLike, hook_like
from essmc_devkit.problem import Problem

_HOOK_OF = {"zoo": "register_zoo", "commands": "register_commands", "layouts": "register_layouts"}
_WHAT = {
    "register_components": 'call registries.heads.register("Name", "package.module:Class"), or leave the hook out',
    "register_zoo": "add_directory takes a folder with *.yaml files (not *.yml) that do not begin with _",
    "register_layouts": 'call layouts.register("name", "package.module:function"), or leave the hook out',
    "register_commands": 'call cli.add_lazy("name", "package.module:command", help="…"), or leave the hook out',
}
INVALID = "PluginValidationError"
"""What pluggy raises for a marked function that is no hook, or takes other arguments."""


@check("installation.hooks")
def hooks(pack: PackUnderTest, seen: Observation) -> Iterator[Problem]:
    """Hooks are spelled right, marked, take what they are given, and stand where an entry point leads."""
    if seen.error == INVALID:
        yield Problem(seen.reason, seen.remedy)
        return
    if seen.status != "ok":
        yield Problem("the pack cannot be imported", status="skipped")
        return
    modules = {point.value.partition(":")[0] for point in pack.entry_points}
    called = {name.rpartition(":")[2] for name in seen.hooks}
    for one in hook_like(pack):
        if f"{one.module}:{one.name}" in seen.hooks:
            continue
        where = f"{one.name} (line {one.line} of {one.module})"
        if one.module in modules and not one.marked:
            yield Problem(f"{where} is not marked as a hook{_spelling(one)}", _how(one))
        elif one.marked and not called & {one.name}:
            yield Problem(
                f"{where} is never called{_spelling(one)}",
                f"{_how(one)}, in the module that the entry point names ({', '.join(sorted(modules))})",
            )
        elif not seen.registered and one.name in HOOKS:
            yield Problem(f"{where} is not marked as a hook", _how(one))


def _spelling(one: HookLike) -> str:
    return f"; hooks are {', '.join(HOOKS)}" if one.name not in HOOKS else ""


def _how(one: HookLike) -> str:
    arguments = list(inspect.signature(getattr(PackHooks, one.meant)).parameters)[1:] if one.meant in HOOKS else ["…"]
    return f"write `@hookimpl` (from essmc_core import hookimpl) above `def {one.meant}({', '.join(arguments)})`"


@check("installation.contents")
def contents(pack: PackUnderTest, seen: Observation) -> Iterator[Problem]:
    """It registers something, and so does each of its hooks."""
    if seen.status != "ok":
        yield Problem("the pack cannot be imported", status="skipped")
        return
    called = {name.rpartition(":")[2] for name in seen.hooks}
    kinds = {_HOOK_OF.get(one.kind, "register_components") for one in seen.registered}
    for name in HOOKS:
        if name in called - kinds:
            yield Problem(f"{name} registers nothing", _WHAT[name])
    if not (called or seen.registered or list(hook_like(pack))):
        yield Problem(
            "it registers no component, no zoo entry and no command",
            f"define a hook in the module of its entry point: {', '.join(HOOKS)}",
        )

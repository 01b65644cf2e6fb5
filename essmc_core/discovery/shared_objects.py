"""Functions and classes that all code of a process shares; packs that replace them are named, and they are put back."""

from __future__ import annotations

import contextlib
import operator
import sys
from collections.abc import Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MethodDescriptorType, WrapperDescriptorType
from typing import Any

MODULES = (
    "builtins", "os", "os.path", "io", "json", "logging", "pathlib", "random", "socket", "subprocess", "threading",
    "time", "warnings", "numpy", "torch", "torch.nn", "torch.nn.functional", "torch.optim", "torch.utils.data",
    "torchvision", "timm",
)  # fmt: skip
"""Modules whose functions and classes are watched once they are imported."""
_CLASSES = (
    ("pathlib", "Path"), ("logging", "Logger"), ("threading", "Thread"), ("subprocess", "Popen"), ("torch", "Tensor"),
    ("torch.nn", "Module"), ("torch.nn", "Linear"), ("torch.nn", "Conv2d"), ("torch.nn", "Conv3d"),
    ("torch.nn", "BatchNorm2d"), ("torch.nn", "LayerNorm"), ("torch.nn", "MultiheadAttention"),
)  # fmt: skip
"""Classes whose methods are watched too."""
# By their real type: objects that stand for what is imported later pretend to be it.
_KINDS = (
    type, FunctionType, BuiltinFunctionType, MethodDescriptorType, WrapperDescriptorType, classmethod, staticmethod,
    property,
)  # fmt: skip
_ABSENT = object()


class SharedObjects:
    """What the shared modules and classes hold before packs are discovered."""

    def __init__(self) -> None:
        self._modules = {name: sys.modules[name] for name in MODULES if name in sys.modules}
        self._before: dict[str, tuple[Any, dict[str, Any]]] = {}
        for name in self._modules:
            self._add(name)

    def note(self, name: str) -> None:
        """Adds a library that has just been imported.

        Args:
            name: of the top-level module.
        """
        for module in MODULES:
            if module.partition(".")[0] == name and module in sys.modules and module not in self._modules:
                self._modules[module] = sys.modules[module]
                self._add(module)

    def _add(self, module: str) -> None:
        found = self._modules[module]
        self._before[module] = (found, dict(vars(found)))
        for owner, name in _CLASSES:
            if owner == module and isinstance(vars(found).get(name), type):
                self._before[f"{module}.{name}"] = (vars(found)[name], dict(vars(vars(found)[name])))

    def put_back(self) -> list[str]:
        """Restores what was replaced and returns its dotted names."""
        changed = []
        for name, module in self._modules.items():
            if sys.modules.get(name) is not module:
                sys.modules[name] = module
                changed.append(f"sys.modules[{name!r}]")
        for name, (owner, before) in self._before.items():
            if not _same(vars(owner), before):
                for attribute in _replaced(before, vars(owner)):
                    changed.append(f"{name}.{attribute}")
                    with contextlib.suppress(Exception):
                        setattr(owner, attribute, before[attribute])
                if name == "builtins":
                    changed += _without_additions(vars(owner), before)
                # What a module adds to itself later is its own affair.
                self._before[name] = (owner, {**dict(vars(owner)), **_watched(before)})
        return changed


def _same(now: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    # Identity in the same order: values need not be comparable, and nearly every pack changes nothing.
    return len(now) == len(before) and all(map(operator.is_, now.values(), before.values()))


def _watched(names: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in names.items() if issubclass(type(value), _KINDS)}


def _replaced(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name, value in before.items():
        if now.get(name, _ABSENT) is not value and issubclass(type(value), _KINDS):
            yield name


def _without_additions(now: Any, before: Mapping[str, Any]) -> list[str]:
    """Removes names that were added to the built-in ones; ``_`` is what an interactive session printed last."""
    added = [name for name in now if name not in before and name != "_"]
    for name in added:
        del now[name]
    return [f"builtins.{name}" for name in added]

"""What a child process watches while a pack is discovered: imports, what it does to the machine, replaced objects."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import BuiltinFunctionType, FrameType, FunctionType, ModuleType
from typing import Any

from essmc_devkit.audit_events import described, own_line

HEAVY = frozenset(
    (
        "torch", "timm", "torchvision", "torchmetrics", "torchaudio", "tensorflow", "jax", "flax", "keras",
        "transformers", "diffusers", "datasets", "lightning", "pytorch_lightning", "numpy", "scipy", "pandas",
        "sklearn", "skimage", "cv2", "av", "matplotlib", "onnx", "onnxruntime", "numba", "sympy", "triton",
        "albumentations", "pytorchvideo", "decord",
    )
)  # fmt: skip
"""Libraries whose import takes long: no pack needs them to say what it brings."""
_ABSENT = object()
# By their real type: objects that stand for what is imported later pretend to be it.
_KINDS = (
    type,
    FunctionType,
    BuiltinFunctionType,
    type(str.join),
    type(object.__init__),
    classmethod,
    staticmethod,
    property,
)


class HeavyImports:
    """A finder that finds nothing and notes who imports a large library first.

    Args:
        roots: the packages of the pack.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = roots
        self.seen: dict[str, str] = {}

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Notes the import and leaves it to the others."""
        top = name.partition(".")[0]
        if top in HEAVY and top not in self.seen and not any(root.name == top for root in self._roots):
            self.seen[top] = self._importer(sys._getframe(1))

    def _importer(self, frame: FrameType | None) -> str:
        while frame is not None:
            path = Path(frame.f_code.co_filename)
            for root in self._roots:
                if path.is_relative_to(root):
                    return f"{path.relative_to(root.parent)}:{frame.f_lineno}"
            frame = frame.f_back
        return ""


class Acts:
    """What a pack does to the machine, as the interpreter's audit events tell.

    Args:
        roots: the packages of the pack; what other libraries do by themselves is not noted.
        cache: a folder in which a pack may write.
    """

    def __init__(self, roots: Sequence[Path], cache: Path) -> None:
        self._roots = roots
        self._cache = str(cache)
        self._watching = False
        self.seen: list[str] = []

    def watch(self) -> None:
        """Begins; an audit hook cannot be removed, only be told to stop."""
        self._watching = True
        sys.addaudithook(self._hear)

    def stop(self) -> None:
        """Ends."""
        self._watching = False

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._watching:
            return
        did = described(event, arguments)
        if did and self._cache not in did:
            # What is looked up here raises further events.
            self._watching = False
            line = own_line(sys._getframe(1), self._roots)
            self._watching = True
            if line:
                self.seen.append(f"{did} ({line})")


class Modules:
    """Every function and class of every imported module, to find those that are replaced."""

    def __init__(self) -> None:
        self._modules = {
            name: (module, dict(vars(module)))
            for name, module in list(sys.modules.items())
            if type(module) is ModuleType
        }
        classes = {
            id(value): value
            for _, names in self._modules.values()
            for value in names.values()
            if issubclass(type(value), type)
        }
        self._classes = [(one, dict(vars(one))) for one in classes.values()]
        self._builtins = set(vars(sys.modules["builtins"]))

    def replaced(self) -> list[str]:
        """Returns what was replaced or removed, by dotted name, and what was added to the built-in names."""
        found = [
            f"sys.modules[{name!r}]" for name, (module, _) in self._modules.items() if self._is_other(name, module)
        ]
        for name, (module, before) in self._modules.items():
            if name not in ("sys", "__main__"):
                found += [f"{name}.{one}" for one in _changed(before, vars(module))]
        for owner, before in self._classes:
            found += [f"{owner.__module__}.{owner.__qualname__}.{one}" for one in _changed(before, vars(owner))]
        added = set(vars(sys.modules["builtins"])) - self._builtins - {"_"}
        return sorted({*found, *(f"builtins.{name} (new)" for name in added)})

    @staticmethod
    def _is_other(name: str, module: ModuleType) -> bool:
        return sys.modules.get(name) is not module


def _changed(before: dict[str, Any], now: Any) -> list[str]:
    """Returns the names of functions and classes that are something else now."""
    return [
        name
        for name, value in before.items()
        if issubclass(type(value), _KINDS) and now.get(name, _ABSENT) is not value
    ]


class Settings:
    """State of the process that discovery does not put back."""

    def __init__(self) -> None:
        self._before = self._read()

    def changed(self) -> list[str]:
        """Returns the names of what has changed."""
        now = self._read()
        return [name for name, value in self._before.items() if now[name] != value]

    @staticmethod
    def _read() -> dict[str, object]:
        mask = os.umask(0o077)
        os.umask(mask)
        return {
            "the umask": mask,
            "sys.meta_path": list(map(id, sys.meta_path)),
            "sys.path_hooks": list(map(id, sys.path_hooks)),
        }

"""What a child process watches while a pack is discovered: imports, what it does to the machine, replaced objects."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from types import BuiltinFunctionType, FrameType, FunctionType, ModuleType
from typing import Any

HEAVY = frozenset(
    (
        "torch", "timm", "torchvision", "torchmetrics", "torchaudio", "tensorflow", "jax", "flax", "keras",
        "transformers", "diffusers", "datasets", "lightning", "pytorch_lightning", "numpy", "scipy", "pandas",
        "sklearn", "skimage", "cv2", "av", "matplotlib", "onnx", "onnxruntime", "numba", "sympy", "triton",
        "albumentations", "pytorchvideo", "decord",
    )
)  # fmt: skip
"""Libraries whose import takes long: no pack needs them to say what it brings."""
_STANDARD = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), "<frozen"})
_SITE = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
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


def _own_line(frame: FrameType | None, roots: Sequence[Path]) -> str:
    """Returns the line of the pack that called, through the standard library at most; empty if another did."""
    while frame is not None:
        name = frame.f_code.co_filename
        for root in roots:
            if Path(name).is_relative_to(root):
                return f"{Path(name).relative_to(root.parent)}:{frame.f_lineno}"
        if not name.startswith(_STANDARD) or name.startswith(_SITE):
            return ""
        frame = frame.f_back
    return ""


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
        did = _described(event, arguments)
        if did and self._cache not in did:
            # What is looked up here raises further events.
            self._watching = False
            line = _own_line(sys._getframe(1), self._roots)
            self._watching = True
            if line:
                self.seen.append(f"{did} ({line})")


def _described(event: str, arguments: tuple[Any, ...]) -> str:
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind"):
        return f"uses the network, {arguments[1] if event != 'socket.getaddrinfo' else arguments[0]}"
    if event == "urllib.Request":
        return f"fetches {arguments[0]}"
    if event in ("subprocess.Popen", "os.system", "os.fork", "os.posix_spawn", "os.exec", "os.forkpty"):
        return f"starts a process, {_text(arguments[0])}" if arguments else "starts a process"
    if event == "open" and _writes(arguments) and arguments[0] != os.devnull:
        return f"writes {_text(arguments[0])}"
    if event in ("os.remove", "os.rmdir", "os.rename", "os.truncate", "os.chmod", "os.chown", "shutil.rmtree"):
        return f"changes the file {_text(arguments[0])}"
    if event in ("os.mkdir", "os.symlink", "os.link", "shutil.copyfile", "shutil.move"):
        return f"makes {_text(arguments[1] if len(arguments) > 1 and isinstance(arguments[1], str) else arguments[0])}"
    if event in ("webbrowser.open", "os.startfile"):
        return f"opens {_text(arguments[0])}"
    return ""


def _writes(arguments: tuple[Any, ...]) -> bool:
    mode, flags = arguments[1], arguments[2]
    if isinstance(arguments[0], int):
        return False
    return any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool(flags & _WRITING)


def _text(value: object) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return text[:120]


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

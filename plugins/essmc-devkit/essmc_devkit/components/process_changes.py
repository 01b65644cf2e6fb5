"""What code changes of the process that it runs in, what other libraries change when they are imported left out."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Collection, Iterator
from importlib.machinery import ModuleSpec
from typing import Any

from essmc_core.discovery.global_state import GlobalState
from essmc_core.discovery.wrapped_loader import WrappedLoader

RANDOM = ("random numbers", "numpy's random numbers", "torch's random numbers")
"""What drawing random numbers changes, which parameters need."""


class ProcessChanges:
    """Notes what changes and puts it back; use it in a ``with``.

    Args:
        own: top-level packages whose imports count too.

    Attributes:
        names: of what has changed, once the ``with`` has ended.
        is_importing: whether another library is being imported.
    """

    def __init__(self, own: Collection[str]) -> None:
        self._own = own
        self.is_importing = False
        self.names: list[str] = []

    def __enter__(self) -> ProcessChanges:
        self._state = GlobalState()
        sys.meta_path.insert(0, self)
        return self

    def __exit__(self, *_: object) -> None:
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]
        self._settle()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Returns what the other finders find; of another library, with a loader that keeps its changes apart."""
        top = name.partition(".")[0]
        if self.is_importing or top in self._own or top in sys.stdlib_module_names:
            return None
        others = (finder for finder in list(sys.meta_path) if finder is not self and hasattr(finder, "find_spec"))
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in others)), None)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = WrappedLoader(spec.loader, self._import)  # type: ignore[assignment]
        return spec

    def _import(self, execute: Callable[[], None]) -> None:
        if self.is_importing:
            execute()
            return
        with _kept_by_the_importer():
            self._settle()
            self.is_importing = True
            try:
                execute()
            finally:
                self.is_importing = False
                self._state = GlobalState()

    def _settle(self) -> None:
        self.names += [name for name in self._state.put_back() if name not in self.names]


@contextlib.contextmanager
def _kept_by_the_importer() -> Iterator[None]:
    """Keeps what the code that imports goes on with, and a comparison would put back: its draws and its no_grad."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "get_rng_state"):
        yield
        return
    state, with_gradients = torch.get_rng_state(), torch.is_grad_enabled()
    torch.set_grad_enabled(True)
    try:
        yield
    finally:
        torch.set_rng_state(state)
        torch.set_grad_enabled(with_gradients)

"""Guards the import of each pack: its time, its output, the state it changes, and its previous failures.

Time is measured and never enforced: an exception raised in the middle of an import leaves a partially initialised
library in memory. A pack that took too long, or that ended the process, is first tried in a separate process.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

from essmc_core.discovery.distributions import Installed
from essmc_core.discovery.first_imports import FirstImports
from essmc_core.discovery.global_state import LIBRARIES, GlobalState
from essmc_core.discovery.pack import Pack
from essmc_core.discovery.stdout import StdoutToStderr
from essmc_core.discovery.trouble import Ledger, PackLeftOut, Trouble, fingerprint
from essmc_core.foundation.settings import DEFAULT_SECONDS, SettingError, pack_timeout

_NOTEWORTHY_INTERRUPTION = 1.0


class Guard:
    """Guards one discovery.

    Attributes:
        limit: seconds that importing a pack should take at most; 0 for no limit.
    """

    def __init__(self) -> None:
        # An invalid value is reported elsewhere; it must not abort the import of the core.
        try:
            self.limit = pack_timeout()
        except SettingError:
            self.limit = DEFAULT_SECONDS
        self._ledger = Ledger()
        self._troubles: dict[str, Trouble] = {}
        self._state = GlobalState()
        self._stdout = StdoutToStderr()
        self._watch = _Watch(self.limit)

    @contextlib.contextmanager
    def running(self) -> Iterator[Guard]:
        """Guards the discovery within the block."""
        self._troubles = self._ledger.troubles()
        with self._ledger.marking(), self._stdout, self._watch, FirstImports(LIBRARIES, self._state.note):
            yield self

    def refuse_what_failed_before(self, installed: Installed) -> None:
        """Tries a pack in a separate process if it failed last time.

        Raises:
            PackLeftOut: it fails again, or did and has not changed since.
        """
        trouble = self._troubles.get(installed.name)
        if trouble is None or (trouble.seconds and (not self.limit or trouble.seconds <= self.limit)):
            return
        now = fingerprint(installed)
        if trouble.fingerprint not in ("", now):
            self._ledger.forget(installed.name)
            return
        if not trouble.confirmed:
            from essmc_core.discovery.trial import try_apart

            values = [point.value for point in installed.entry_points]
            again = try_apart(values, self.limit or DEFAULT_SECONDS)
            if not again:
                self._ledger.forget(installed.name)
                return
            trouble = replace(trouble, what=again, confirmed=True, fingerprint=now)
            self._ledger.note(installed.name, trouble)
        raise PackLeftOut(
            f"{installed.name} {trouble.what}, and is left out until it changes",
            hint=f"`essmc packs --retry` tries it again; pip install -U {installed.name}, or pip uninstall it",
        )

    @contextlib.contextmanager
    def importing(self, pack: Pack, installed: Installed) -> Iterator[None]:
        """Guards the import and the hooks of one pack."""
        self._ledger.importing(installed.name)
        self._stdout.begin(pack.distribution)
        start = self._watch.begin(pack)
        try:
            yield
        except KeyboardInterrupt:
            taken = time.monotonic() - start
            if taken > _NOTEWORTHY_INTERRUPTION:
                self._ledger.note(installed.name, Trouble(f"was interrupted after {taken:.1f} s of importing"))
            raise
        finally:
            taken = time.monotonic() - start
            self._watch.end()
            self._ledger.importing("")
            if self._stdout.take_over(pack.distribution):
                pack.remarks.append("it prints while it is discovered; that was led to standard error")
            if changed := self._state.put_back():
                pack.changed = tuple(changed)
                pack.remarks.append(f"it changes {', '.join(changed)} while it is discovered; that was put back")
        if self.limit and taken > self.limit:
            what = f"took {taken:.1f} s to import"
            self._ledger.note(installed.name, Trouble(what, taken, fingerprint=fingerprint(installed)))
            pack.remarks.append(
                f"it {what}, more than the {self.limit:g} s of ESSMC_PACK_TIMEOUT; next time it is tried in a process "
                "of its own first"
            )


class _Watch:
    """Informs the user, once, that a pack takes long to import, without aborting it."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._stop = threading.Event()
        self._current: tuple[str, str, float] | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(1.0)

    def begin(self, pack: Pack) -> float:
        start = time.monotonic()
        self._current = (pack.distribution, pack.name, start)
        if self._limit and self._thread is None:
            self._thread = threading.Thread(target=self._tell, name="essmc-discovery", daemon=True)
            # If no thread can be started, there is no message.
            with contextlib.suppress(RuntimeError):
                self._thread.start()
        return start

    def end(self) -> None:
        self._current = None

    def _tell(self) -> None:
        told: set[str] = set()
        while not self._stop.is_set():
            current = self._current
            left = self._limit
            if current is not None and current[0] not in told:
                left = self._limit - (time.monotonic() - current[2])
                if left <= 0:
                    told.add(current[0])
                    text = f"essmc: importing the pack {current[0]} has taken {self._limit:g} s and goes on. "
                    text += f"Ctrl-C ends it; ESSMC_BLOCK={current[1]} leaves it out.\n"
                    with contextlib.suppress(OSError):
                        os.write(2, text.encode())
                    left = self._limit
            self._stop.wait(max(left, 0.05))

"""Reads the next inputs in threads while the network works on the current one, in order and with bounded memory."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")
Part = TypeVar("Part")

_PARTS_AHEAD = 2
"""Parts of one input, such as segments, that wait to be used."""
_PATIENCE_S = 0.1


def read_ahead(
    items: Iterable[Item], read: Callable[[Item], Generator[Part, None, None]], workers: int
) -> Iterator[tuple[Item, Iterator[Part]]]:
    """Yields each item with an iterator of its parts, which are read in advance.

    An iterator of parts is valid until the next item is asked for; it raises what reading raises, at the same place.

    Args:
        items: what to read.
        read: yields the parts of an item; called in other threads.
        workers: how many items are read at a time; 0 reads in this thread, when parts are asked for.
    """
    if workers < 1:
        for item in items:
            yield item, read(item)
        return
    running: deque[tuple[Item, _Reading[Part]]] = deque()
    stream = iter(items)
    try:
        while True:
            while len(running) <= workers:
                try:
                    item = next(stream)
                except StopIteration:
                    break
                running.append((item, _Reading(read, item)))
            if not running:
                return
            item, reading = running.popleft()
            try:
                yield item, reading.parts()
            finally:
                reading.stop()
    finally:
        for _, reading in running:
            reading.stop()


class _Reading(Generic[Part]):
    """One item that a thread reads."""

    def __init__(self, read: Callable[[Item], Generator[Part, None, None]], item: Item) -> None:
        # (part, error): a part, what reading raised, or neither at the end.
        self._found: queue.Queue[tuple[Part | None, BaseException | None]] = queue.Queue(_PARTS_AHEAD)
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(read, item), daemon=True)
        self._thread.start()

    def _read(self, read: Callable[[Item], Generator[Part, None, None]], item: Item) -> None:
        try:
            with contextlib.closing(read(item)) as parts:
                for part in parts:
                    if not self._put(part, None):
                        return
            self._put(None, None)
        # It is raised where the parts are used.
        except BaseException as error:
            self._put(None, error)

    def _put(self, part: Part | None, error: BaseException | None) -> bool:
        """Hands over a part once there is room; returns whether anybody still wants it."""
        while not self._is_stopped.is_set():
            try:
                self._found.put((part, error), timeout=_PATIENCE_S)
            except queue.Full:
                continue
            return True
        return False

    def parts(self) -> Iterator[Part]:
        """Yields the parts as they are read."""
        while True:
            part, error = self._found.get()
            if error is not None:
                raise error
            if part is None:
                return
            yield part

    def stop(self) -> None:
        """Ends the thread."""
        self._is_stopped.set()
        self._thread.join()

"""Threads that work ahead of whoever takes their results."""

from __future__ import annotations

import atexit
import queue
import threading
import weakref
from collections.abc import Callable
from typing import Any


class Worker:
    """A thread that makes things in the order they are asked for, and keeps them until they are taken.

    Queues of the interpreter's own carry both ways: to take what is there costs less than a microsecond, a future some twenty.
    To wake a thread costs some ten, so it is asked for several at once.
    """

    def __init__(self, name: str) -> None:
        self._asked: queue.SimpleQueue[tuple[Callable[[Any], Any], list[Any]] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        self._is_closed = self._is_late = False
        # A daemon, since the interpreter waits for others before it ends, also for one that nobody will ever close.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()
        _alive.add(self)

    def ask(self, make: Callable[[Any], Any], parts: list[Any]) -> None:
        """Has the thread call make(part) for each part, after all that it was asked for before."""
        self._asked.put((make, parts))

    def result(self, timeout: float | None = None) -> Any:
        """The next thing made, or raises what making it raised. Raises RuntimeError where that takes longer than
        `timeout` seconds; the thread is then left to itself."""
        try:
            value, error = self._done.get(timeout=timeout)
        except queue.Empty:
            self._is_late = True
            raise RuntimeError(f"DataLoader: timed out after {timeout:g} seconds of waiting for a worker") from None
        if error is None:
            return value
        try:
            raise error
        finally:
            del error  # whose traceback holds this frame

    def stop(self) -> None:
        """Ends the thread behind what it is at."""
        self._is_closed = True
        self._asked.put(None)

    def join(self) -> None:
        """Waits for its end."""
        if not self._is_late and threading.current_thread() is not self._thread:
            self._thread.join()

    def _work(self) -> None:
        while (asked := self._asked.get()) is not None:
            make, parts = asked
            while parts and not self._is_closed:
                try:
                    self._done.put((make(parts.pop(0)), None))
                except BaseException as error:
                    self._done.put((None, error))
            del asked, make, parts  # which may hold memory, while nobody asks


_alive: weakref.WeakSet[Worker] = weakref.WeakSet()


def end(workers: list[Worker]) -> None:
    """Ends all of them at once."""
    for worker in workers:
        worker.stop()
    for worker in workers:
        worker.join()


@atexit.register
def _end_all() -> None:
    """A thread must not be within compiled code while the interpreter is taken down."""
    end(list(_alive))

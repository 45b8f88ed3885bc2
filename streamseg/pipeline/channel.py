"""A bounded queue between two threads that either side can end."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Ended(Exception):
    """The channel is closed and empty."""


class Channel(Generic[T]):
    """First in, first out; a giver waits while it is full, the taker while it is empty.

    Args:
        capacity: Most items that wait, 1 or more.
        givers: How many threads put into it; it is closed when each of them has closed it.
    """

    def __init__(self, capacity: int, givers: int = 1) -> None:
        self._capacity = capacity
        self._givers = givers
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._left = False

    def put(self, item: T) -> bool:
        """Hand over an item, waiting for room; False where the taker has left and the item is gone."""
        with self._changed:
            self._changed.wait_for(lambda: self._left or self._givers <= 0 or len(self._items) < self._capacity)
            wanted = not self._left and self._givers > 0
            if wanted:
                self._items.append(item)
                self._changed.notify_all()
            return wanted

    def close(self) -> None:
        """One giver has no more items; those that wait can still be taken."""
        with self._changed:
            self._givers -= 1
            self._changed.notify_all()

    def end(self) -> None:
        """Nobody gives anything more, whether they have closed it or not; what waits can still be taken."""
        with self._changed:
            self._givers = 0
            self._changed.notify_all()

    def leave(self) -> None:
        """The taker takes no more: what waits is dropped, and nobody waits to give."""
        with self._changed:
            self._left = True
            self._items.clear()
            self._changed.notify_all()

    def get(self, timeout: float | None = None) -> T:
        """The next item.

        Args:
            timeout: Seconds to wait for it; None for as long as it takes.

        Raises:
            Ended: There will be no more.
            queue.Empty: The time is over.
        """
        with self._changed:
            ready = self._changed.wait_for(lambda: self._items or self._givers <= 0 or self._left, timeout)
            if self._items:
                item = self._items.popleft()
                self._changed.notify_all()
                return item
        raise Ended if ready else queue.Empty

    def __iter__(self) -> Iterator[T]:
        while True:
            try:
                yield self.get()
            except Ended:
                return

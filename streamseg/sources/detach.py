"""Reading in a thread of its own, so that nobody waits for a device that does not answer."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")
_LOOK_AROUND = 0.1  # seconds between two looks at whether somebody closed the source


def detached(items: Iterator[T], closed: threading.Event, name: str) -> Iterator[T]:
    """Yield ``items`` as a daemon thread reads them; end within a tenth of a second after ``closed`` is set.

    The thread ends by itself as soon as the read that it is in returns. An error in it is raised here.
    """
    handover: queue.Queue[tuple[str, object]] = queue.Queue(maxsize=1)

    def give(kind: str, item: object) -> bool:
        while not closed.is_set():
            try:
                handover.put((kind, item), timeout=_LOOK_AROUND)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        try:
            for item in items:
                if not give("item", item):
                    break
            else:
                give("end", None)
        except BaseException as error:
            give("error", error)

    threading.Thread(target=read, name=f"read {name}", daemon=True).start()
    while not closed.is_set():
        try:
            kind, item = handover.get(timeout=_LOOK_AROUND)
        except queue.Empty:
            continue
        if kind == "end":
            return
        if kind == "error":
            assert isinstance(item, BaseException)
            raise item
        yield item  # type: ignore[misc]

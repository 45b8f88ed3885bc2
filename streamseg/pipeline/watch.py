"""Says by name which stage has stopped answering, so that no run stands still in silence."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection

from streamseg.pipeline.statistics import Statistics

PATIENCE = 8.0
"""Seconds at one piece of work, or without any work at all, after which a stage is reported."""

_LOOK = 0.5  # seconds between two looks
_log = logging.getLogger("streamseg")


class Watch:
    """Looks at the stages of a pipeline from a thread of its own.

    It warns through the logger ``streamseg``, again each time that the wait has doubled, and changes nothing: a large
    network on a slow machine, or a reader of standard output who is having a break, may take long.

    Args:
        statistics: Where the stages' work is counted.
        excused: Stages that may wait for people: windows can be paused.
        must_move: Whether some stage must always be at work, because nobody is waited for.
        patience: Seconds until the first warning.
    """

    def __init__(
        self,
        statistics: Statistics,
        excused: Collection[str],
        must_move: Callable[[], bool],
        patience: float = PATIENCE,
    ) -> None:
        self._statistics = statistics
        self._excused = excused
        self._must_move = must_move
        self._patience = patience
        self._told: dict[object, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(min(_LOOK, self._patience / 4)):
            self._look()

    def _look(self) -> None:
        at_work = self._statistics.at_work()
        for number, (stage, seconds) in at_work.items():
            if stage not in self._excused and self._is_due((number, stage), seconds):
                _log.warning("%s: no answer for %.0f s; still waiting for it", stage, seconds)
        idle = self._statistics.idle()
        if not at_work and self._must_move() and self._is_due("all", idle):
            _log.warning("no stage has had work for %.0f s, though there is some; please report this", idle)
        self._told = {key: told for key, told in self._told.items() if key == "all" or key in self._keys(at_work)}
        if idle < self._patience:
            self._told.pop("all", None)

    def _keys(self, at_work: dict[int, tuple[str, float]]) -> set[object]:
        return {(number, stage) for number, (stage, seconds) in at_work.items() if seconds >= self._patience}

    def _is_due(self, key: object, seconds: float) -> bool:
        due = max(self._patience, 2 * self._told.get(key, 0.0))
        if seconds < due:
            return False
        self._told[key] = seconds
        return True

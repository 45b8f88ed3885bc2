"""What a piece of work took: on the clock, in CPU seconds, and frame by frame."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Timing:
    """A number of frames and what they took.

    Attributes:
        frames: How many.
        seconds: On the clock, from before the first to after the last; what opens and finishes a file is in it.
        cpu_seconds: Of all threads of the process.
        laps: Seconds of each frame; of each frame's share where several went together.
    """

    frames: int
    seconds: float
    cpu_seconds: float
    laps: tuple[float, ...]

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.frames / self.seconds

    @property
    def mean_ms(self) -> float:
        """Milliseconds per frame: 1000 over the frames per second."""
        return 1000 * self.seconds / self.frames

    @property
    def median_ms(self) -> float:
        """Milliseconds that half of the frames stayed within."""
        return 1000 * statistics.median(self.laps)

    @property
    def p95_ms(self) -> float:
        """Milliseconds that 95 of 100 frames stayed within."""
        return 1000 * sorted(self.laps)[-(-95 * len(self.laps) // 100) - 1]

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds per frame."""
        return 1000 * self.cpu_seconds / self.frames

    def figures(self) -> dict[str, Any]:
        """The same as numbers for programs."""
        return {
            "frames": self.frames,
            "fps": self.fps,
            "ms": {"mean": self.mean_ms, "median": self.median_ms, "p95": self.p95_ms},
            "cpu_seconds": self.cpu_seconds / self.frames,
        }


def together(timings: Sequence[Timing]) -> Timing:
    """Several rounds of the same work as one."""
    return Timing(
        sum(one.frames for one in timings),
        sum(one.seconds for one in timings),
        sum(one.cpu_seconds for one in timings),
        tuple(lap for one in timings for lap in one.laps),
    )


class Stopwatch:
    """Times the laps of one piece of work, and the whole from its making to ``stop``.

    Args:
        finish: Called before the clock is read: waits for a device that works on by itself.
    """

    def __init__(self, finish: Callable[[], object] = lambda: None) -> None:
        self._finish = finish
        self._laps: list[float] = []
        finish()
        self._cpu = time.process_time()
        self._begin = time.perf_counter()

    @contextlib.contextmanager
    def lap(self, frames: int = 1) -> Iterator[None]:
        """Time what is inside ``with``, done for so many frames at once."""
        begin = time.perf_counter()
        yield
        self._finish()
        self._add(time.perf_counter() - begin, frames)

    def waiting(self, items: Iterable[Item], frames: Callable[[Item], int] = lambda item: 1) -> Iterator[Item]:
        """Yield the items; how long each takes to come is a lap, for as many frames as ``frames`` says."""
        coming = iter(items)
        while True:
            begin = time.perf_counter()
            try:
                item = next(coming)
            except StopIteration:
                return
            self._add(time.perf_counter() - begin, frames(item))
            yield item

    def stop(self) -> Timing:
        """What it took; at least one lap must have been made."""
        self._finish()
        seconds, cpu = time.perf_counter() - self._begin, time.process_time() - self._cpu
        return Timing(len(self._laps), seconds, cpu, tuple(self._laps))

    def _add(self, seconds: float, frames: int) -> None:
        self._laps += [seconds / frames] * frames

"""What one sees while a run goes on: bars in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from typing import TextIO

from streamseg.cli.summary import duration
from streamseg.pipeline import Statistics
from streamseg.pipeline.statistics import StreamStatistics

_TICK = 0.25  # seconds between looks in a terminal
_LINE = 5.0  # seconds between lines elsewhere
_WINDOW = 10.0  # seconds over which a speed is measured


class Speed:
    """Frames per second of the last seconds, and from it the time left."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def note(self, now: float, frames: int) -> float:
        """The speed at time ``now`` (seconds on any clock) after ``frames`` frames in all."""
        self._marks.append((now, frames))
        while len(self._marks) > 2 and self._marks[0][0] < now - _WINDOW:
            self._marks.popleft()
        begin, before = self._marks[0]
        return (frames - before) / (now - begin) if now > begin else 0.0


def line(stream: StreamStatistics, fps: float) -> str:
    """Where a source stands, in one line."""
    parts = [f"{stream.frames} frames"]
    if stream.expected:
        share = min(1.0, stream.frames / stream.expected)
        parts = [f"{stream.frames}/{stream.expected} frames ({share:.0%})"]
    parts.append(f"{fps:.1f} fps")
    if stream.info.live:
        parts.append(f"{1000 * stream.latency.last:.0f} ms behind")
        parts.append(f"{stream.dropped} dropped")
    elif stream.expected and fps > 0:
        parts.append(f"{duration(max(0, stream.expected - stream.frames) / fps)} left")
    return ", ".join(parts)


class Progress:
    """Shows ``statistics`` on ``stream`` for the time of ``with``, from a thread of its own."""

    def __init__(self, statistics: Statistics, stream: TextIO | None = None) -> None:
        self._statistics = statistics
        self._stream = stream or sys.stderr
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Progress:
        body = self._bars if self._stream.isatty() else self._lines
        self._thread = threading.Thread(target=body, name="progress", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _lines(self) -> None:
        speeds = [Speed() for _ in self._statistics.streams]
        begin = time.monotonic()
        for speed in speeds:
            speed.note(begin, 0)
        while not self._over.wait(_LINE):
            for stream, speed in zip(self._statistics.streams, speeds, strict=True):
                text = line(stream, speed.note(time.monotonic(), stream.frames))
                print(f"streamseg: {stream.info.name}: {text}", file=self._stream, flush=True)

    def _bars(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bars

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[state]}"))
        bars = Bars(*columns, console=Console(file=self._stream), auto_refresh=False, transient=True)
        speeds = [Speed() for _ in self._statistics.streams]
        with bars:
            tasks = [bars.add_task(each.info.name, total=each.expected, state="") for each in self._statistics.streams]
            while not self._over.wait(_TICK):
                for task, stream, speed in zip(tasks, self._statistics.streams, speeds, strict=True):
                    fps = speed.note(time.monotonic(), stream.frames)
                    bars.update(task, completed=stream.frames, state=line(stream, fps))
                bars.refresh()

"""What one sees while a run goes on: bars in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from typing import TextIO

from streamseg.cli.summary import duration, speeds
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


def line(stream: StreamStatistics, pictures: float, network: float) -> str:
    """Where a source stands, in one line.

    Args:
        stream: What has been done.
        pictures: Frames per second.
        network: Frames per second that the model sees.
    """
    done = stream.resumed + stream.frames
    parts = [f"{done} frames"]
    if stream.expected:
        share = min(1.0, done / stream.expected)
        parts = [f"{done}/{stream.expected} frames ({share:.0%})"]
    parts.append(speeds(network, pictures) if stream.carried else f"{pictures:.1f} fps")
    if stream.info.live:
        parts.append(f"{1000 * stream.latency.last:.0f} ms behind")
        parts.append(f"{stream.dropped} dropped")
    elif stream.expected and pictures > 0:
        parts.append(f"{duration(max(0, stream.expected - done) / pictures)} left")
    return ", ".join(parts)


class Watch:
    """The line of a source, with the speeds since it was last asked for."""

    def __init__(self, stream: StreamStatistics) -> None:
        self.stream = stream
        self._pictures, self._network = Speed(), Speed()

    def line(self) -> str:
        """Where the source stands now."""
        now = time.monotonic()
        pictures, network = self._pictures.note(now, self.stream.frames), self._network.note(now, self.stream.segmented)
        return line(self.stream, pictures, network)


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
        watches = [Watch(stream) for stream in self._statistics.streams]
        for watch in watches:
            watch.line()  # speeds are measured from here
        while not self._over.wait(_LINE):
            for watch in watches:
                print(f"streamseg: {watch.stream.info.name}: {watch.line()}", file=self._stream, flush=True)

    def _bars(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bars

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[state]}"))
        bars = Bars(*columns, console=Console(file=self._stream), auto_refresh=False, transient=True)
        watches = [Watch(stream) for stream in self._statistics.streams]
        with bars:
            tasks = [bars.add_task(each.stream.info.name, total=each.stream.expected, state="") for each in watches]
            while not self._over.wait(_TICK):
                for task, watch in zip(tasks, watches, strict=True):
                    bars.update(task, completed=watch.stream.resumed + watch.stream.frames, state=watch.line())
                bars.refresh()

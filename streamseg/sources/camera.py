"""Cameras, through OpenCV."""

from __future__ import annotations

import glob
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2

from streamseg.errors import UserError
from streamseg.frame import Frame, StreamInfo
from streamseg.sources.detach import detached
from streamseg.sources.quiet import quiet_opencv

TIME_BASE = Fraction(1, 1_000_000)
MAX_FAILURES_IN_A_ROW = 30
FAILED = "failed camera reads"


class CameraSource:
    """A live camera; ``pts`` is the time of capture in microseconds since the first frame.

    Args:
        spec: The camera's number from 0 (``"0"``) or its device (``"/dev/video0"``).

    Raises:
        UserError: There is no such camera, or it gives no picture.
    """

    def __init__(self, spec: str) -> None:
        number = int(spec.removeprefix("/dev/video"))
        self.losses: Counter[str] = Counter()
        self.notes: list[str] = []
        self._closed = threading.Event()
        self._name = f"camera {number}"
        self._capture = _open(number, self._name)
        self._released = threading.Lock()
        self._start: float | None = None
        self._frames = self._read()
        self._first = next(self._frames, None)
        if self._first is None:
            self._capture.release()
            raise UserError(f"{self._name}: it opens but gives no picture; see whether another program uses it")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.info = StreamInfo(
            name=self._name,
            width=self._first.width,
            height=self._first.height,
            time_base=TIME_BASE,
            live=True,
            rate=Fraction(rate).limit_denominator(1001) if 1 <= rate <= 1000 else None,
        )

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames as the camera gives them, until it is closed or unplugged."""
        first, self._first = self._first, None
        if first is not None and not self._closed.is_set():
            yield first
        yield from detached(self._frames, self._closed, self._name)

    def close(self) -> None:
        """Let go of the camera; may be called twice and from another thread."""
        self._closed.set()
        # A read that hangs holds the lock and lets go of the camera itself once it returns.
        if self._released.acquire(timeout=0.5):
            try:
                self._capture.release()
            finally:
                self._released.release()

    def _read(self) -> Iterator[Frame]:
        index = failures = 0
        while not self._closed.is_set():
            with self._released:
                ok, image = (False, None) if self._closed.is_set() else self._capture.read()
                if self._closed.is_set():
                    self._capture.release()
                    return
            now = time.monotonic()
            if not ok or image is None:
                failures += 1
                if failures >= MAX_FAILURES_IN_A_ROW:
                    self.notes.append(f"{self._name} stopped giving pictures after {index} frames")
                    return
                self.losses[FAILED] += 1
                self._closed.wait(0.01)
                continue
            failures = 0
            self._start = now if self._start is None else self._start
            if image.ndim == 2:
                image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
            rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            yield Frame(rgb, index, round((now - self._start) * 1_000_000), TIME_BASE, self._name)
            index += 1


def _open(number: int, name: str) -> cv2.VideoCapture:
    if sys.platform.startswith("linux") and not Path(f"/dev/video{number}").exists():
        there = sorted(int(path.removeprefix("/dev/video")) for path in glob.glob("/dev/video[0-9]*"))
        known = f"cameras here: {', '.join(map(str, there))}" if there else "no camera is connected"
        raise UserError(f"{name}: there is no /dev/video{number}; {known}")
    with quiet_opencv():
        capture = cv2.VideoCapture(number, cv2.CAP_V4L2 if sys.platform.startswith("linux") else cv2.CAP_ANY)
    if not capture.isOpened():
        capture.release()
        raise UserError(f"{name}: cannot be opened; see whether it is connected, free, and open to this user")
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest picture, not the oldest
    return capture
